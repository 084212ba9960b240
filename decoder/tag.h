/*
 * tag.h - "program[pid]:" and what devices write in its place (RFC 3164, 4.1.3).
 */
#ifndef TOCSIN_DECODER_TAG_H
#define TOCSIN_DECODER_TAG_H

#include "event/record.h"

struct tag {
	struct str app, procid, msgid; /* STR_NONE where absent */
};

/*
 * Takes the tag off the front of *rest: "app:", "app[pid]:", "app[pid]", "app -:", "level
 * app[pid]:", and the tail of RFC 5424 without its head ("app 123 ID -"). Without one *rest stays
 * where it is and *ret is empty.
 */
void tag_take(struct str *rest, struct tag *ret);
/* The program's name without path and "(pam_unix)": "/usr/sbin/cron" is cron. */
struct str tag_program(struct str app);
/*
 * "%FACILITY-[SUB-]SEVERITY-MNEMONIC" (Cisco IOS, ASA, NX-OS; without the percent sign): the parts as
 * fields. False when the text has another shape.
 */
bool tag_put_mnemonic(struct record *record, struct str mnemonic);

#endif
