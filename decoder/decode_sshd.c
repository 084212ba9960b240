/*
 * OpenSSH's server. User names come from strangers: where a name stands before " from ", the last
 * " from " of the line ends it, so that a name cannot forge an address.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"

static const struct pattern rows[] = {
    PATTERN(
	"Accepted {auth_method} for {User*} from {src_ip} port {src_port}", "accepted", "success"),
    PATTERN("Failed {auth_method} for invalid user {User*} from {src_ip} port {src_port}",
	"failed_invalid_user", "failure"),
    PATTERN("Failed {auth_method} for illegal user {User*} from {src_ip} port {src_port}",
	"failed_invalid_user", "failure"),
    PATTERN("Failed {auth_method} for {User*} from {src_ip} port {src_port}", "failed", "failure"),
    PATTERN("Invalid user {User*} from {src_ip} port {src_port}", "invalid_user", "failure"),
    PATTERN("Invalid user {User*} from {src_ip}", "invalid_user", "failure"),
    PATTERN("Illegal user {User*} from {src_ip}", "invalid_user", "failure"),
    PATTERN("input_userauth_request: invalid user {User*} [preauth]", "invalid_user", "failure"),
    PATTERN("User {User*} from {src_ip} not allowed because {reason~}", "not_allowed", "failure"),
    PATTERN(
	"error: maximum authentication attempts exceeded for invalid user {User*} from {src_ip} "
	"port {src_port}",
	"too_many_attempts", "failure"),
    PATTERN("error: maximum authentication attempts exceeded for {User*} from {src_ip} port "
	    "{src_port}",
	"too_many_attempts", "failure"),
    PATTERN("Disconnecting: Too many authentication failures for {User}", "too_many_attempts",
	"failure"),
    PATTERN("Disconnecting authenticating user {User*} {src_ip} port {src_port}: {reason~}",
	"disconnected", ""),
    PATTERN("Disconnecting invalid user {User*} {src_ip} port {src_port}: {reason~}",
	"disconnected", ""),
    PATTERN("PAM {repeated} more authentication failures; logname={_} uid={_} euid={_} tty={tty} "
	    "ruser={ruser} rhost={src_ip}  user={User}",
	"failed", "failure"),
    PATTERN("PAM {repeated} more authentication failure; logname={_} uid={_} euid={_} tty={tty} "
	    "ruser={ruser} rhost={src_ip}  user={User}",
	"failed", "failure"),
    PATTERN("PAM {repeated} more authentication failures; logname={_} uid={_} euid={_} tty={tty} "
	    "ruser={ruser} rhost={src_ip}",
	"failed", "failure"),
    PATTERN("error: PAM: {reason~} for illegal user {User*} from {src_ip}", "failed_invalid_user",
	"failure"),
    PATTERN("error: PAM: {reason~} for {User*} from {src_ip}", "failed", "failure"),
    PATTERN("Postponed {auth_method} for invalid user {User*} from {src_ip} port {src_port}",
	"postponed", ""),
    PATTERN("Postponed {auth_method} for {User*} from {src_ip} port {src_port}", "postponed", ""),
    PATTERN("Received disconnect from {src_ip} port {src_port}:{reason~}", "disconnected", ""),
    PATTERN("Received disconnect from {src_ip}: {reason~}", "disconnected", ""),
    PATTERN("error: Received disconnect from {src_ip}: {reason~}", "disconnected", ""),
    PATTERN("Disconnected from authenticating user {User} {src_ip} port {src_port}", "disconnected",
	""),
    PATTERN("Disconnected from invalid user {User} {src_ip} port {src_port}", "disconnected", ""),
    PATTERN("Disconnected from user {User} {src_ip} port {src_port}", "disconnected", ""),
    PATTERN("Disconnected from {src_ip} port {src_port}", "disconnected", ""),
    PATTERN("Disconnected from {src_ip}", "disconnected", ""),
    PATTERN(
	"Connection closed by authenticating user {User} {src_ip} port {src_port}", "closed", ""),
    PATTERN("Connection closed by invalid user {User} {src_ip} port {src_port}", "closed", ""),
    PATTERN("Connection closed by {src_ip} port {src_port}", "closed", ""),
    PATTERN("Connection closed by {src_ip}", "closed", ""),
    PATTERN("Connection reset by authenticating user {User} {src_ip} port {src_port}", "reset", ""),
    PATTERN("Connection reset by invalid user {User} {src_ip} port {src_port}", "reset", ""),
    PATTERN("Connection reset by {src_ip} port {src_port}", "reset", ""),
    PATTERN("Connection from {src_ip} port {src_port}", "connected", ""),
    PATTERN("Did not receive identification string from {src_ip} port {src_port}", "no_ident", ""),
    PATTERN("Did not receive identification string from {src_ip}", "no_ident", ""),
    PATTERN("Bad protocol version identification {_*} from {src_ip} port {src_port}",
	"bad_protocol", ""),
    PATTERN("Unable to negotiate with {src_ip} port {src_port}: {reason~}", "bad_protocol", ""),
    PATTERN(
	"reverse mapping checking getaddrinfo for {domain} [{src_ip}] failed", "bad_reverse", ""),
    PATTERN("Address {src_ip} maps to {domain}, but", "bad_reverse", ""),
    PATTERN("Nasty PTR record \"{domain}\" is set up for {src_ip},", "bad_reverse", ""),
    PATTERN("ROOT LOGIN REFUSED FROM {src_ip}", "root_refused", "failure"),
    PATTERN("Starting session: {session_type~} for {User} from {src_ip} port {src_port}",
	"session_start", "success"),
    PATTERN("Close session: user {User} from {src_ip} port {src_port}", "session_end", ""),
    PATTERN("Timeout before authentication for {src_ip} port {src_port}", "timeout", ""),
    PATTERN("fatal: Timeout before authentication for {src_ip} port {src_port}", "timeout", ""),
    PATTERN("refused connect from {src_ip}", "refused", "failure"),
    PATTERN("Server listening on {dst_ip} port {dst_port}", "listening", ""),
};

static enum decode_status decode(struct record *record, struct str text)
{
	return pattern_apply(record, rows, sizeof(rows) / sizeof(rows[0]), text) ? DECODE_YES
										 : DECODE_NO;
}

const struct decoder decode_sshd = {
    .name = "sshd",
    .stage = DECODER_APPLICATION,
    .summary = "OpenSSH server: logins, failures, invalid users, disconnects",
    .decode = decode,
};
