/*
 * The programs of shadow-utils that make, change and remove accounts and groups.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"

static const struct pattern rows[] = {
    PATTERN("new user: name={TargetUserName}, UID={uid}, GID={gid}, home={home}, shell={shell}, "
	    "from={tty}",
	"user_added", "success"),
    PATTERN("new user: name={TargetUserName}, UID={uid}, GID={gid}, home={home}, shell={shell}",
	"user_added", "success"),
    PATTERN("new account: name={TargetUserName}, uid={uid}, gid={gid}, home={home}, shell={shell}",
	"user_added", "success"),
    PATTERN("new group: name={group}, GID={gid}", "group_added", "success"),
    PATTERN("group added to {_}: name={group}, GID={gid}", "group_added", "success"),
    PATTERN("group added to {_}: name={group}", "group_added", "success"),
    PATTERN("add '{TargetUserName}' to group '{group}'", "added_to_group", "success"),
    PATTERN("add '{TargetUserName}' to shadow group '{group}'", "added_to_shadow_group", "success"),
    PATTERN("delete '{TargetUserName}' from group '{group}'", "removed_from_group", "success"),
    PATTERN("delete '{TargetUserName}' from shadow group '{group}'", "removed_from_shadow_group",
	"success"),
    PATTERN("user {TargetUserName} added by {User} to group {group}", "added_to_group", "success"),
    PATTERN("user {TargetUserName} removed by {User} from group {group}", "removed_from_group",
	"success"),
    PATTERN("delete user '{TargetUserName}'", "user_removed", "success"),
    PATTERN("removed group '{group}' owned by '{_}'", "group_removed", "success"),
    PATTERN("group '{group}' removed", "group_removed", "success"),
    PATTERN("change user '{TargetUserName}' password", "password_changed", "success"),
    PATTERN("change user '{TargetUserName}' {change~}", "user_changed", "success"),
    PATTERN("lock user '{TargetUserName}' password", "user_locked", "success"),
    PATTERN("unlock user '{TargetUserName}' password", "user_unlocked", "success"),
    PATTERN("password for '{TargetUserName}' changed by '{User}'", "password_changed", "success"),
    PATTERN("password for `{TargetUserName}' changed by `{User}'", "password_changed", "success"),
    PATTERN("pam_unix({service}:chauthtok): password changed for {TargetUserName}",
	"password_changed", "success"),
    PATTERN("changed password expiry for {TargetUserName}", "expiry_changed", "success"),
    PATTERN("changed user '{TargetUserName}' shell to '{shell}'", "shell_changed", "success"),
    PATTERN("failed adding user '{TargetUserName}', {reason~}", "user_added", "failure"),
};

static enum decode_status decode(struct record *record, struct str text)
{
	return pattern_apply(record, rows, sizeof(rows) / sizeof(rows[0]), text) ? DECODE_YES
										 : DECODE_NO;
}

const struct decoder decode_account = {
    .name = "account",
    .stage = DECODER_APPLICATION,
    .summary = "shadow-utils (useradd, usermod, passwd, ...): accounts and groups that change",
    .decode = decode,
};
