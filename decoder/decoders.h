/*
 * decoders.h - the const structs that decoders.def names, one in each decode_*.c.
 */
#ifndef TOCSIN_DECODER_DECODERS_H
#define TOCSIN_DECODER_DECODERS_H

#include "decoder/decoder.h"

#define DECODER(symbol) extern const struct decoder decode_##symbol;
#include "decoder/decoders.def"
#undef DECODER

#endif
