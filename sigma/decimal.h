/*
 * decimal.h - exact decimal numbers, for sums that come out the same in each order.
 *
 * A whole number of billionths: less than 10^18 in amount, nine digits behind the point. A hundred
 * thousand million of the largest can be added up.
 */
#ifndef TOCSIN_SIGMA_DECIMAL_H
#define TOCSIN_SIGMA_DECIMAL_H

#include "base/buf.h"

__extension__ typedef __int128 decimal;

#define DECIMAL_ONE ((decimal)1000000000)

/*
 * "12", "-0.5", "1.5e3", white space around it passed over. False where it is no number, too
 * large, or has more digits behind the point than can be kept.
 */
bool decimal_parse(struct str text, decimal *ret);
/* Without zeros at the end. */
void decimal_put(struct buf *out, decimal value);

#endif
