/*
 * su of shadow-utils, util-linux, coreutils and BSD.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"

static const struct pattern rows[] = {
    PATTERN("Successful su for {TargetUserName} by {User}", "su", "success"),
    PATTERN("FAILED su for {TargetUserName} by {User}", "su", "failure"),
    PATTERN("FAILED SU (to {TargetUserName}) {User} on {tty}", "su", "failure"),
    PATTERN("(to {TargetUserName}) {User} on {tty}", "su", "success"),
    PATTERN("'su {TargetUserName}' failed for {User} on {tty}", "su", "failure"),
    PATTERN("'su {TargetUserName}' succeeded for {User} on {tty}", "su", "success"),
    PATTERN("BAD SU {User} to {TargetUserName} on {tty}", "su", "failure"),
    PATTERN("{User} to {TargetUserName} on {tty}", "su", "success"),
    PATTERN("+ {tty} {User}:{TargetUserName}", "su", "success"),
    PATTERN("- {tty} {User}:{TargetUserName}", "su", "failure"),
};

static enum decode_status decode(struct record *record, struct str text)
{
	return pattern_apply(record, rows, sizeof(rows) / sizeof(rows[0]), text) ? DECODE_YES
										 : DECODE_NO;
}

const struct decoder decode_su = {
    .name = "su",
    .stage = DECODER_APPLICATION,
    .summary = "su: who became whom, and who failed to",
    .decode = decode,
};
