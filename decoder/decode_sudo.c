/*
 * sudo: "user : reason ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id". The command is last and
 * may hold anything, " ; " included. Fields are Sigma's names of process_creation, and sudo's own.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"
#include "decoder/scan.h"

struct part {
	struct str mark;
	struct str name; /* under which the value is put beside the mark's own */
};

static const struct part parts[] = {
    {STR_INIT("TTY="), STR_INIT("tty")},
    {STR_INIT("PWD="), STR_INIT("CurrentDirectory")},
    {STR_INIT("USER="), STR_INIT("TargetUserName")},
    {STR_INIT("GROUP="), STR_INIT("group")},
    {STR_INIT("ENV="), STR_INIT("env")},
    {STR_INIT("TSID="), STR_INIT("tsid")},
    {STR_INIT("HOST="), STR_INIT("sudo_host")},
    {STR_INIT("CHROOT="), STR_INIT("chroot")},
};

static void put_command(struct record *record, struct str command)
{
	struct str rest = command;

	pattern_put(record, STR("CommandLine"), command);
	pattern_put(record, STR("Image"), scan_word(&rest));
}

static bool put_part(struct record *record, struct str part)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!scan_literal(&part, parts[i].mark))
			continue;
		pattern_put(record, parts[i].name, part);
		return true;
	}
	return false;
}

static void put_reason(struct record *record, struct str reason)
{
	bool failed = str_find(reason, STR("incorrect password attempt")) != STR_NOT_FOUND;
	bool refused = str_find(reason, STR("NOT in sudoers")) != STR_NOT_FOUND ||
		       str_find(reason, STR("NOT authorized")) != STR_NOT_FOUND ||
		       str_find(reason, STR("not allowed")) != STR_NOT_FOUND;

	pattern_put(record, STR("reason"), reason);
	record_put(record, FIELD_ACTION,
	    failed    ? STR("failed")
	    : refused ? STR("not_allowed")
		      : STR("refused"));
	record_put(record, FIELD_OUTCOME, STR("failure"));
}

static enum decode_status decode(struct record *record, struct str text)
{
	struct str rest = str_trim(text), user, part, reason = STR_NONE;
	bool command = false;

	if (!scan_until(&rest, STR(" : "), &user) || user.len == 0 ||
	    str_find_char(user, ' ') != STR_NOT_FOUND)
		return DECODE_NO;
	while (rest.len > 0) {
		if (scan_literal(&rest, STR("COMMAND="))) {
			put_command(record, rest);
			command = true;
			break;
		}
		if (!scan_until(&rest, STR(" ; "), &part)) {
			part = rest;
			rest = STR_NONE;
		}
		if (!put_part(record, part) && reason.len == 0)
			reason = part;
	}
	record_put(record, FIELD_USER, user);
	if (reason.len > 0) {
		put_reason(record, reason);
	} else if (command) {
		record_put(record, FIELD_ACTION, STR("command"));
		record_put(record, FIELD_OUTCOME, STR("success"));
		record_category(record, STR("process_creation"));
	}
	return command || reason.len > 0 ? DECODE_YES : DECODE_NO;
}

const struct decoder decode_sudo = {
    .name = "sudo",
    .stage = DECODER_APPLICATION,
    .summary = "sudo: commands, wrong passwords, users who may not",
    .decode = decode,
};
