/* Messages of Linux programs: the fields that rules use, whatever header carried them. */
#include "decoded.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HEAD "<38>Nov 22 03:04:05 web01 "

static const struct decoded_row sshd[] = {
    ROW(HEAD "sshd[1]: Accepted password for lan from 192.0.2.5 port 50022 ssh2",
	"User=lan\nsrc_ip=192.0.2.5\nsrc_port=50022\naction=accepted\noutcome=success\n"
	"auth_method=password\n.source=linux//sshd\n.decoders=rfc3164/sshd"),
    ROW(HEAD
	"sshd[1]: Accepted publickey for git from 2001:db8::5 port 50022 ssh2: ED25519 SHA256:abc",
	"User=git\nsrc_ip=2001:db8::5\nauth_method=publickey\naction=accepted"),
    ROW(HEAD "sshd[1]: Failed password for root from 192.0.2.5 port 50022 ssh2",
	"User=root\naction=failed\noutcome=failure"),
    ROW(HEAD "sshd[1]: Failed password for invalid user oracle from 192.0.2.5 port 50022 ssh2",
	"User=oracle\naction=failed_invalid_user\noutcome=failure\nsrc_port=50022"),
    ROW(HEAD "sshd[1]: Failed password for invalid user  from 192.0.2.5 port 50022 ssh2",
	"-User\nsrc_ip=192.0.2.5\naction=failed_invalid_user"),
    ROW(HEAD
	"sshd[1]: Failed password for invalid user a from 198.51.100.9 port 1 from 192.0.2.5 port "
	"50022 ssh2",
	"src_ip=192.0.2.5\nUser=a from 198.51.100.9 port 1"),
    ROW(HEAD "sshd[1]: Invalid user admin from 192.0.2.5 port 50022",
	"User=admin\naction=invalid_user"),
    ROW(HEAD "sshd[1]: Invalid user admin from 192.0.2.5",
	"User=admin\nsrc_ip=192.0.2.5\n-src_port"),
    ROW(HEAD "sshd[1]: Illegal user admin from 192.0.2.5", "User=admin\nsrc_ip=192.0.2.5"),
    ROW(HEAD "sshd[1]: message repeated 5 times: [ Failed password for root from 192.0.2.5 port "
	     "50022 ssh2]",
	"repeated=5\nUser=root\nsrc_ip=192.0.2.5\naction=failed"),
    ROW(HEAD "sshd[1]: error: maximum authentication attempts exceeded for root from 192.0.2.5 "
	     "port 50022 "
	     "ssh2 [preauth]",
	"User=root\naction=too_many_attempts"),
    ROW(HEAD "sshd[1]: error: maximum authentication attempts exceeded for invalid user x from "
	     "192.0.2.5 "
	     "port 50022 ssh2 [preauth]",
	"User=x\naction=too_many_attempts"),
    ROW(HEAD "sshd[1]: Received disconnect from 192.0.2.5 port 50022:11: Bye Bye [preauth]",
	"src_ip=192.0.2.5\nsrc_port=50022\naction=disconnected"),
    ROW(HEAD "sshd[1]: Received disconnect from 192.0.2.5: 11: Bye Bye [preauth]",
	"src_ip=192.0.2.5"),
    ROW(HEAD "sshd[1]: Disconnected from invalid user x 192.0.2.5 port 50022 [preauth]",
	"User=x\nsrc_ip=192.0.2.5"),
    ROW(HEAD "sshd[1]: Disconnected from user lan 192.0.2.5 port 50022",
	"User=lan\nsrc_ip=192.0.2.5"),
    ROW(HEAD "sshd[1]: Disconnected from 192.0.2.5 port 50022", "src_ip=192.0.2.5\n-User"),
    ROW(HEAD
	"sshd[1]: Connection closed by authenticating user root 192.0.2.5 port 50022 [preauth]",
	"User=root\nsrc_ip=192.0.2.5\naction=closed"),
    ROW(HEAD "sshd[1]: Connection closed by 192.0.2.5 [preauth]",
	"src_ip=192.0.2.5\naction=closed"),
    ROW(HEAD "sshd[1]: Connection reset by 192.0.2.5 port 50022 [preauth]", "action=reset"),
    ROW(HEAD "sshd[1]: Did not receive identification string from 192.0.2.5 port 50022",
	"action=no_ident"),
    ROW(HEAD
	"sshd[1]: Bad protocol version identification 'GET / from x' from 192.0.2.5 port 50022",
	"src_ip=192.0.2.5\naction=bad_protocol"),
    ROW(HEAD "sshd[1]: Unable to negotiate with 192.0.2.5 port 50022: no matching cipher found",
	"src_ip=192.0.2.5\nreason=no matching cipher found"),
    ROW(HEAD "sshd[1]: reverse mapping checking getaddrinfo for h.example.net [192.0.2.5] failed - "
	     "POSSIBLE BREAK-IN ATTEMPT!",
	"src_ip=192.0.2.5\ndomain=h.example.net"),
    ROW(HEAD "sshd[1]: User root from 192.0.2.5 not allowed because not listed in AllowUsers",
	"User=root\nreason=not listed in AllowUsers\noutcome=failure"),
    ROW(HEAD "sshd[1]: PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= "
	     "rhost=192.0.2.5  user=root",
	"repeated=2\nsrc_ip=192.0.2.5\nUser=root\naction=failed"),
    ROW(HEAD "sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh "
	     "ruser= "
	     "rhost=192.0.2.5  user=root",
	"src_ip=192.0.2.5\nUser=root\naction=failed\n.decoders=rfc3164/pam\n.source=linux//sshd"),
    ROW(HEAD "sshd(pam_unix)[1]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= "
	     "rhost=192.0.2.5 ",
	"src_ip=192.0.2.5\n-User\n.source=linux//sshd"),
    ROW(HEAD "sshd[1]: pam_unix(sshd:session): session opened for user lan(uid=1000) by (uid=0)",
	"User=lan\nuid=1000\naction=session_start"),
    ROW(HEAD "sshd[1]: pam_unix(sshd:session): session closed for user lan",
	"User=lan\naction=session_end"),
    ROW(HEAD "sshd[1]: Starting session: command for lan from 192.0.2.5 port 50022 id 0",
	"User=lan\nsession_type=command"),
    ROW(HEAD "sshd-session[1]: Accepted password for lan from 192.0.2.5 port 50022 ssh2",
	"User=lan\n.source=linux//sshd"),
    ROW("<38>1 2026-11-22T03:04:05Z web01 sshd 1 - - Failed password for root from 192.0.2.5 port "
	"22 ssh2",
	"User=root\n.decoders=rfc5424/sshd"),
    /* as rsyslog sends it: the space behind the tag of RFC 3164 is the message's first character */
    ROW("<38>1 2026-11-22T03:04:05Z web01 sshd 1 - -  Failed password for root from 192.0.2.5 port "
	"22 ssh2",
	"User=root\n.decoders=rfc5424/sshd"),
    ROW(HEAD "sshd[1]: something that no version has said yet",
	".decoders=rfc3164\n.source=linux//sshd"),
};

static const struct decoded_row privileges[] = {
    ROW(HEAD
	"sudo:     lan : TTY=pts/0 ; PWD=/home/lan ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow",
	"User=lan\nTargetUserName=root\nCommandLine=/usr/bin/cat /etc/shadow\nImage=/usr/bin/cat\n"
	"CurrentDirectory=/home/lan\ntty=pts/0\naction=command\noutcome=success\n.source=linux/"
	"process_creation/sudo"),
    ROW(HEAD "sudo[7]: lan : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh -c 'a ; USER=x'",
	"CommandLine=/bin/sh -c 'a ; USER=x'\nTargetUserName=root"),
    ROW(HEAD "sudo: lan : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; "
	     "COMMAND=/bin/sh",
	"action=failed\noutcome=failure\nUser=lan\nreason=3 incorrect password attempts"),
    ROW(HEAD "sudo: lan : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
	"action=not_allowed\noutcome=failure\nCommandLine=/bin/sh"),
    ROW(HEAD "sudo: lan : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
	"action=not_allowed"),
    ROW(HEAD "sudo: lan : a password is required ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
	"action=refused"),
    ROW(HEAD "sudo: lan : TTY=pts/0 ; PWD=/ ; USER=root ; GROUP=adm ; TSID=000001 ; ENV=A=b ; "
	     "COMMAND=list",
	"group=adm\nenv=A=b\nCommandLine=list"),
    ROW(HEAD "sudo: pam_unix(sudo:auth): authentication failure; logname=lan uid=1000 euid=0 "
	     "tty=/dev/pts/0 "
	     "ruser=lan rhost=  user=lan",
	"User=lan\nruser=lan\n.source=linux//sudo"),
    ROW(HEAD "su: Successful su for root by lan", "User=lan\nTargetUserName=root\noutcome=success"),
    ROW(HEAD "su: FAILED su for root by lan", "User=lan\nTargetUserName=root\noutcome=failure"),
    ROW(HEAD "su[5]: (to root) lan on pts/0",
	"User=lan\nTargetUserName=root\ntty=pts/0\n.source=linux//auth"),
    ROW(HEAD "su[5]: FAILED SU (to root) lan on pts/0",
	"User=lan\nTargetUserName=root\noutcome=failure"),
    ROW(HEAD "su: 'su root' failed for lan on /dev/pts/8",
	"User=lan\nTargetUserName=root\noutcome=failure"),
    ROW(HEAD "su: BAD SU lan to root on /dev/ttyp0",
	"User=lan\nTargetUserName=root\noutcome=failure"),
    ROW(HEAD "su: + /dev/pts/0 lan:root", "User=lan\nTargetUserName=root\noutcome=success"),
    ROW(HEAD "su: - pts/0 lan:root", "outcome=failure"),
    ROW(HEAD "su(pam_unix)[5]: session opened for user root by lan(uid=1000)",
	"User=root\nlogname=lan"),
    ROW(HEAD "systemd-logind[5]: New session 7 of user lan.",
	"User=lan\nsession=7\n.source=linux//auth"),
    ROW(HEAD "login[5]: FAILED LOGIN (1) on '/dev/tty1' FOR 'root', Authentication failure",
	"User=root\noutcome=failure"),
};

static const struct decoded_row accounts[] = {
    ROW(HEAD "useradd[9]: new user: name=eve, UID=1005, GID=1005, home=/home/eve, shell=/bin/bash, "
	     "from=none",
	"TargetUserName=eve\nuid=1005\nshell=/bin/bash\naction=user_added\n.source=linux//auth"),
    ROW(HEAD "useradd[9]: new user: name=eve, UID=0, GID=0, home=/root, shell=/bin/sh",
	"TargetUserName=eve\nuid=0\nshell=/bin/sh"),
    ROW(HEAD "groupadd[9]: new group: name=ops, GID=1010", "group=ops\naction=group_added"),
    ROW(HEAD "groupadd[9]: group added to /etc/group: name=ops, GID=1010", "group=ops"),
    ROW(HEAD "usermod[9]: add 'eve' to group 'sudo'",
	"TargetUserName=eve\ngroup=sudo\naction=added_to_group"),
    ROW(HEAD "usermod[9]: add 'eve' to shadow group 'sudo'", "action=added_to_shadow_group"),
    ROW(HEAD "gpasswd[9]: user eve added by root to group wheel",
	"TargetUserName=eve\nUser=root\ngroup=wheel\naction=added_to_group"),
    ROW(HEAD "usermod[9]: change user 'eve' shell from '/bin/sh' to '/bin/bash'",
	"TargetUserName=eve\naction=user_changed"),
    ROW(HEAD "userdel[9]: delete user 'eve'", "TargetUserName=eve\naction=user_removed"),
    ROW(HEAD "passwd[9]: pam_unix(passwd:chauthtok): password changed for eve",
	"TargetUserName=eve\naction=password_changed"),
    ROW(HEAD "chpasswd[9]: pam_unix(chpasswd:chauthtok): password changed for eve",
	"TargetUserName=eve"),
    ROW(HEAD "passwd[9]: password for 'eve' changed by 'root'", "TargetUserName=eve\nUser=root"),
    ROW(HEAD "chage[9]: changed password expiry for eve",
	"TargetUserName=eve\naction=expiry_changed"),
    ROW("<78>Nov 22 03:04:05 web01 CRON[77]: (root) CMD (cd / && run-parts (all))",
	"User=root\nCommandLine=cd / && run-parts (all)\n.source=linux//cron"),
    ROW("<78>Nov 22 03:04:05 web01 /usr/sbin/cron[77]: (lan) CMD (/bin/true)",
	"User=lan\napp=/usr/sbin/cron"),
    ROW("<78>Nov 22 03:04:05 web01 crontab[77]: (lan) REPLACE (lan)", "User=lan\naction=REPLACE"),
    ROW("<78>Nov 22 03:04:05 web01 CRON[77]: pam_unix(cron:session): session opened for user root "
	"by (uid=0)",
	"User=root\n.source=linux//cron"),
};

static const struct decoded_row kernel[] = {
    ROW("<4>Nov 22 03:04:05 gw01 kernel: [ 1234.567890] [UFW BLOCK] IN=eth0 OUT= "
	"MAC=00:00:5e:00:53:01:00:00:5e:00:53:02:08:00 SRC=198.51.100.4 DST=192.0.2.1 LEN=40 "
	"TOS=0x00 "
	"PREC=0x00 TTL=240 ID=1 PROTO=TCP SPT=40000 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0",
	"src_ip=198.51.100.4\ndst_ip=192.0.2.1\nsrc_port=40000\ndst_port=23\nprotocol=TCP\nin="
	"eth0\n-out\n"
	"action=block\nblocked=true\noutcome=failure\nprefix=[UFW BLOCK]\n.source=linux/firewall/"),
    ROW("<4>Nov 22 03:04:05 gw01 kernel: FW-DROP: IN=eth0 OUT=eth1 SRC=198.51.100.4 DST=192.0.2.1 "
	"PROTO=UDP SPT=1 DPT=53 LEN=8",
	"action=drop\nout=eth1\ndst_port=53"),
    ROW("<4>Nov 22 03:04:05 gw01 kernel: [LAN-default-A]IN=eth0 OUT= SRC=198.51.100.4 "
	"DST=192.0.2.1 PROTO=2",
	"src_ip=198.51.100.4\n-action\n.source=linux/firewall/"),
    ROW("<4>Nov 22 03:04:05 gw01 kernel: accept IN=eth0 OUT= SRC=2001:db8::1 DST=2001:db8::2 "
	"PROTO=ICMPv6 "
	"TYPE=1 CODE=4 [SRC=2001:db8::3 DST=2001:db8::4 ]",
	"src_ip=2001:db8::1\naction=accept\nblocked=false"),
    ROW("<6>Nov 22 03:04:05 gw01 kernel: [12.345678] device eth0 entered promiscuous mode",
	".message=device eth0 entered promiscuous mode\n.source=linux//syslog"),
    ROW("<5>Nov 22 03:04:05 gw01 kernel: [12.3] audit: type=1400 audit(1795316645.123:45): "
	"apparmor=\"DENIED\" operation=\"open\" name=\"/etc/shadow\" comm=\"cat\"",
	"type=AVC\napparmor=DENIED\ncomm=cat\n.source=linux//"
	"auditd\n.time=2026-11-22T03:04:05.123Z"),
};

static const struct decoded_row auditd[] = {
    ROW("type=SYSCALL msg=audit(1795316645.500:77): arch=c000003e syscall=59 success=yes exit=0 "
	"a0=55d0 "
	"a1=7ffe items=2 ppid=1 pid=2 auid=1000 uid=0 comm=\"cat\" exe=\"/usr/bin/cat\" "
	"key=\"shadow\"",
	"type=SYSCALL\nsyscall=59\nexe=/usr/bin/"
	"cat\ncomm=cat\nkey=shadow\na0=55d0\nuid=0\nauid=1000\n"
	"outcome=success\naudit.serial=77\n.time=2026-11-22T03:04:05.500Z\n.source=linux//auditd\n"
	".decoders=auditd"),
    ROW("type=PROCTITLE msg=audit(1795316645.500:77): proctitle=636174002F6574632F736861646F77",
	"proctitle=cat /etc/shadow"),
    ROW("type=EXECVE msg=audit(1795316645.500:77): argc=3 a0=\"sh\" a1=\"-c\" "
	"a2=6964203E202F746D702F78",
	"type=EXECVE\na0=sh\na1=-c\na2=id > /tmp/x\nargc=3"),
    ROW("type=USER_AUTH msg=audit(1795316645.500:78): pid=9 uid=0 auid=4294967295 ses=4294967295 "
	"msg='op=PAM:authentication acct=\"root\" exe=\"/usr/sbin/sshd\" hostname=192.0.2.5 "
	"addr=192.0.2.5 "
	"terminal=ssh res=failed'",
	"type=USER_AUTH\nacct=root\nUser=root\nexe=/usr/sbin/sshd\naddr=192.0.2.5\nres=failed\n"
	"outcome=failure\nop=PAM:authentication"),
    ROW("node=web01 type=CWD msg=audit(1795316645.500:77): cwd=\"/root\"", "host=web01\ncwd=/root"),
    ROW("type=SYSCALL msg=audit(1795316645.500:77): syscall=59 success=no\x1D"
	"ARCH=x86_64 AUID=\"lan\"",
	"ARCH=x86_64\nAUID=lan\nUser=lan\noutcome=failure"),
    ROW("<14>Nov 22 03:04:05 web01 audispd: type=PATH msg=audit(1795316645.500:77): item=0 "
	"name=2F746D702F612062 nametype=NORMAL",
	"host=web01\nname=/tmp/a b\ntype=PATH\n.decoders=rfc3164/auditd"),
    ROW("<14>Nov 22 03:04:05 web01 audit[5]: type=CWD msg=audit(1795316645.500:77): cwd=\"/\"",
	"cwd=/"),
};

static void test_sshd(void **state)
{
	(void)state;
	DECODED_CHECK(sshd);
}

static void test_privileges(void **state)
{
	(void)state;
	DECODED_CHECK(privileges);
}

static void test_accounts(void **state)
{
	(void)state;
	DECODED_CHECK(accounts);
}

static void test_kernel(void **state)
{
	(void)state;
	DECODED_CHECK(kernel);
}

static void test_auditd(void **state)
{
	(void)state;
	DECODED_CHECK(auditd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sshd),
	    cmocka_unit_test(test_privileges),
	    cmocka_unit_test(test_accounts),
	    cmocka_unit_test(test_kernel),
	    cmocka_unit_test(test_auditd),
	};

	return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
