/*
 * otlp_proto.h - messages of OpenTelemetry's logs in protobuf, as the JSON that OTLP has for them.
 *
 * Names, 64-bit numbers as text and trace ids in hexadecimal are as in opentelemetry-proto's JSON
 * mapping. A field that is not known here is kept under its number ("#13": a number as text, or
 * bytes in base64). Nested to a bounded depth.
 */
#ifndef TOCSIN_COLLECTOR_OTLP_PROTO_H
#define TOCSIN_COLLECTOR_OTLP_PROTO_H

#include "base/buf.h"

enum otlp_message { OTLP_RECORD, OTLP_RESOURCE, OTLP_SCOPE };

/* Appends it as an object. False: not well formed, nested too deep, or out is full. */
bool otlp_proto_json(struct buf *out, enum otlp_message message, struct str bytes);

struct proto_field {
	uint64_t number;
	unsigned wire;    /* 0: varint, 1: 64 bits, 2: bytes, 5: 32 bits */
	uint64_t value;   /* of those but bytes */
	struct str bytes; /* of wire type 2 */
};

enum proto { PROTO_FIELD, PROTO_END, PROTO_BAD };

/* Takes the next field off *rest. */
enum proto proto_next(struct str *rest, struct proto_field *ret);

#endif
