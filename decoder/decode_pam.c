/*
 * PAM modules and the session messages of login managers, of whatever program.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"

static const struct pattern rows[] = {
    PATTERN("pam_unix({service}:{pam_type}): authentication failure; logname={logname} uid={uid} "
	    "euid={euid} tty={tty} ruser={ruser} rhost={src_ip}  user={User}",
	"failed", "failure"),
    PATTERN("pam_unix({service}:{pam_type}): authentication failure; logname={logname} uid={uid} "
	    "euid={euid} tty={tty} ruser={ruser} rhost={src_ip}",
	"failed", "failure"),
    PATTERN("pam_unix({service}:{pam_type}): session opened for user {User}(uid={uid}) by "
	    "{logname}(uid={_})",
	"session_start", "success"),
    PATTERN("pam_unix({service}:{pam_type}): session opened for user {User} by {logname}(uid={_})",
	"session_start", "success"),
    PATTERN(
	"pam_unix({service}:{pam_type}): session closed for user {User}", "session_end", "success"),
    PATTERN("pam_unix({service}:{pam_type}): check pass; user unknown", "invalid_user", "failure"),
    PATTERN("pam_unix({service}:chauthtok): password changed for {TargetUserName}",
	"password_changed", "success"),
    PATTERN("pam_unix({service}:{pam_type}): account {User} has expired", "expired", "failure"),
    PATTERN("pam_sss({service}:{pam_type}): authentication failure; logname={logname} uid={uid} "
	    "euid={euid} tty={tty} ruser={ruser} rhost={src_ip} user={User}",
	"failed", "failure"),
    PATTERN("pam_sss({service}:{pam_type}): authentication success; logname={logname} uid={uid} "
	    "euid={euid} tty={tty} ruser={ruser} rhost={src_ip} user={User}",
	"accepted", "success"),
    PATTERN("pam_faillock({service}:{pam_type}): Consecutive login failures for user {User} "
	    "account temporarily locked",
	"locked", "failure"),
    PATTERN("pam_tally2({service}:{pam_type}): user {User} ({uid}) tally {tally}, deny", "locked",
	"failure"),
    PATTERN("authentication failure; logname={logname} uid={uid} euid={euid} tty={tty} "
	    "ruser={ruser} rhost={src_ip}  user={User}",
	"failed", "failure"),
    PATTERN("authentication failure; logname={logname} uid={uid} euid={euid} tty={tty} "
	    "ruser={ruser} rhost={src_ip}",
	"failed", "failure"),
    PATTERN("session opened for user {User} by {logname}(uid={uid})", "session_start", "success"),
    PATTERN("session closed for user {User}", "session_end", "success"),
    PATTERN("check pass; user unknown", "invalid_user", "failure"),
    PATTERN("FAILED LOGIN ({_}) on '{tty}' from '{src_ip}' FOR '{User*}', {reason~}", "failed",
	"failure"),
    PATTERN("FAILED LOGIN ({_}) on '{tty}' FOR '{User*}', {reason~}", "failed", "failure"),
    PATTERN("FAILED LOGIN {_} FROM {src_ip} FOR {User*}, {reason~}", "failed", "failure"),
    PATTERN("ROOT LOGIN ON {tty}", "accepted", "success"),
    PATTERN("New session {session} of user {User}.", "session_start", "success"),
    PATTERN("Removed session {session}.", "session_end", "success"),
    PATTERN("Failed password for {User*} from {src_ip} port {src_port}", "failed", "failure"),
};

static enum decode_status decode(struct record *record, struct str text)
{
	return pattern_apply(record, rows, sizeof(rows) / sizeof(rows[0]), text) ? DECODE_YES
										 : DECODE_NO;
}

const struct decoder decode_pam = {
    .name = "pam",
    .stage = DECODER_APPLICATION,
    .summary = "PAM and login messages of any program: failures, sessions, locked accounts",
    .decode = decode,
};
