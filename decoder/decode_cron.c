/*
 * cron, anacron and crontab.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"

static const struct pattern rows[] = {
    PATTERN("({User}) CMD ({CommandLine*})", "command", ""),
    PATTERN("({User}) CMDEND ({CommandLine*})", "command_end", ""),
    PATTERN("({User}) {action} ({reason~}", "", ""),
    PATTERN("Job `{_}' {action}", "", ""),
};

static enum decode_status decode(struct record *record, struct str text)
{
	return pattern_apply(record, rows, sizeof(rows) / sizeof(rows[0]), text) ? DECODE_YES
										 : DECODE_NO;
}

const struct decoder decode_cron = {
    .name = "cron",
    .stage = DECODER_APPLICATION,
    .summary = "cron: commands that are run, and crontabs that change",
    .decode = decode,
};
