/*
 * pri.h - the PRI part of a syslog line (RFC 5424, 6.2.1; RFC 3164, 4.1.1).
 */
#ifndef TOCSIN_DECODER_PRI_H
#define TOCSIN_DECODER_PRI_H

#include "event/record.h"

#define PRI_DEFAULT 13 /* user.notice: RFC 3164, 4.3.3 */

/*
 * Takes "<digits>" off the front of *rest. False when nothing like it stands there: *rest is
 * unchanged and *ret is PRI_DEFAULT. A PRI that is empty or above 191 is taken too; *ret is
 * PRI_DEFAULT and *ret_bad is set.
 */
bool pri_take(struct str *rest, unsigned *ret, bool *ret_bad);
/* Puts pri, facility and severity. */
void pri_put(struct record *record, unsigned pri);
/* Drops a BOM, white space, NULs and an octet count that stand before "<". */
struct str pri_skip_junk(struct str text);

#endif
