/* What real senders do to RFC 3164 and RFC 5424: one row a quirk, with what must become of it. */
#include "decoded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct decoded_row stamps[] = {
    ROW("<13>Dec 28 03:04:05 web01 app: x",
	".time=2025-12-28T03:04:05.000Z\nhost=web01\napp=app\n.flags=no_year"),
    ROW("<13>Nov 23 05:00:00 web01 app: x", ".time=2026-11-23T05:00:00.000Z"),
    ROW("<13>Nov 24 05:00:00 web01 app: x", ".time=2025-11-24T05:00:00.000Z"),
    ROW("<13>Feb 29 03:04:05 web01 app: x",
	".time=2026-11-22T06:27:00.000Z\n.flags=no_time\nhost=web01\napp=app"),
    ROW("<13>1 2016-12-31T23:59:60Z web01 app - - - x",
	".time=2017-01-01T00:00:00.000Z\nhost=web01"),
    ROW("<13>Nov 22 24:00:00 web01 app[22]: x", ".time=2026-11-22T06:27:00.000Z\n.flags=no_"
						"time\nhost=web01\napp=app\nprocid=22\n.message=x"),
    ROW("<13>Nov 2 03:04:05 web01 app: x", ".time=2026-11-02T03:04:05.000Z\nhost=web01"),
    ROW("<13>Nov  2 03:04:05 web01 app: x", ".time=2026-11-02T03:04:05.000Z\nhost=web01"),
    ROW("<13>nov 22 03:04:05 web01 app: x", ".time=2026-11-22T03:04:05.000Z\nhost=web01"),
    ROW("<13>NOV 22 03:04:05 web01 app: x", ".time=2026-11-22T03:04:05.000Z\nhost=web01"),
    ROW("<13>Nov 22 03:04:05 CET web01 app: x",
	".time=2026-11-22T02:04:05.000Z\nhost=web01\napp=app"),
    ROW("<13>Nov 22 03:04:05 UTC web01 app: x", ".time=2026-11-22T03:04:05.000Z\nhost=web01"),
    ROW("<13>Nov 22 13:04:05 ICT web01 app: x", ".time=2026-11-22T06:04:05.000Z\nhost=web01"),
    ROW("<13>Nov 22 03:04:05 +0200 web01 app: x", ".time=2026-11-22T01:04:05.000Z\nhost=web01"),
    ROW("<13>2026-11-22T03:04:05+0200 web01 app: x",
	".time=2026-11-22T01:04:05.000Z\nhost=web01\napp=app"),
    ROW("<13>2026-11-22 03:04:05 web01 app: x",
	".time=2026-11-22T03:04:05.000Z\nhost=web01\napp=app"),
    ROW("<13>2026-11-22T03:04:05 web01 app: x",
	".time=2026-11-22T03:04:05.000Z\nhost=web01\napp=app"),
    ROW("<13>2026-11-22 03:04:05.250 +07:00 web01 app: x",
	".time=2026-11-21T20:04:05.250Z\nhost=web01\napp=app"),
    ROW("<13>2026-11-22T03:04:05.123456789Z web01 app: x",
	".time=2026-11-22T03:04:05.123Z\nhost=web01"),
    ROW("<134>1 1795316645.123456789 ap-07 events type=association",
	".time=2026-11-22T03:04:05.123Z\nhost=ap-07\n.message=events type=association"),
    ROW("<134>1795316645.5 ap-07 flows src=192.0.2.1",
	".time=2026-11-22T03:04:05.500Z\nhost=ap-07"),
    ROW("<13>Nov 22 03:04:05 2026 web01 app: x",
	".time=2026-11-22T03:04:05.000Z\nhost=web01\n.flags="),
    ROW("<13>Nov 22 2026 03:04:05 web01 app: x",
	".time=2026-11-22T03:04:05.000Z\nhost=web01\n.flags="),
    ROW("<13>Sun Nov 22 03:04:05 2026 web01 app: x", ".time=2026-11-22T03:04:05.000Z\nhost=web01"),
    ROW("<12>22/11/2026:03:04:05 GMT adc01 0-PPE-0 : x",
	".time=2026-11-22T03:04:05.000Z\nhost=adc01"),
    ROW("<12>11/22/2026:03:04:05 GMT adc01 0-PPE-0 : x",
	".time=2026-11-22T03:04:05.000Z\nhost=adc01"),
    ROW("<13>Nov 22 03:04:05 web01 app: 2026-11-22 03:04:05,678 INFO x",
	".time=2026-11-22T03:04:05.678Z"),
    ROW("<13>Nov 22 03:04:05 web01 app: 2019-01-01 03:04:05,678 INFO x",
	".time=2026-11-22T03:04:05.000Z"),
};

static const struct decoded_row headers[] = {
    ROW("<999>Nov 22 03:04:05 web01 app: x",
	"pri=13\nfacility=1\nseverity=5\n.flags=bad_pri,no_year"),
    ROW("<>Nov 22 03:04:05 web01 app: x", "pri=13\n.flags=bad_pri,no_year\nhost=web01"),
    ROW("Nov 22 03:04:05 web01 app: x", "pri=13\n.flags=bad_pri,no_year\nhost=web01\napp=app"),
    ROW("<191>Nov 22 03:04:05 web01 app: x", "pri=191\nfacility=23\nseverity=7"),
    ROW("<34> Nov 22 03:04:05 web01 app: x", "pri=34\nhost=web01\n.message=x"),
    ROW("<38>Nov 22 03:04:05 sshd[99]: Server listening on 192.0.2.1 port 22.",
	"-host\napp=sshd\nprocid=99\n.source=linux//sshd"),
    ROW("<13>Nov 22 03:04:05 2001:db8::1 app[7]: x", "host=2001:db8::1\napp=app\nprocid=7"),
    ROW("<13>Nov 22 03:04:05 [192.0.2.9] app: x", "host=192.0.2.9\napp=app"),
    ROW("<189>29: foo: *Apr 29 13:58:40.411: %SYS-5-CONFIG_I: Configured from console",
	"host=foo\n.time=2026-04-29T13:58:40.411Z\n.flags=no_year,unsynced\ncisco.sequence=29\n"
	"cisco.facility=SYS\ncisco.severity=5\ncisco.mnemonic=CONFIG_I\n.message=Configured from "
	"console\n"
	".source=cisco//syslog"),
    ROW("<189>29: foo: .Nov 22 03:04:05.411 UTC: %LINK-SP-3-UPDOWN: down",
	"host=foo\n.flags=no_year,unsynced\ncisco.facility=LINK-SP\ncisco.severity=3\ncisco."
	"mnemonic=UPDOWN"),
    ROW("<189>643: Nov 22 03:04:05.295: %LINEPROTO-5-UPDOWN: up",
	"-host\ncisco.sequence=643\napp=%LINEPROTO-5-UPDOWN\n.time=2026-11-22T03:04:05.295Z"),
    ROW("<189>sw-07: 000546: Nov 22 03:04:05 ICT: %PARSER-5-CFGLOG: x",
	"host=sw-07\n.time=2026-11-21T20:04:05.000Z\n.source=cisco//aaa"),
    ROW("<189>45: sw-07: 00:01:01: %SYS-6-BOOT: x",
	"host=sw-07\n.flags=no_time\n.time=2026-11-22T06:27:00.000Z\ncisco.sequence=45"),
    ROW("<189>00:01:01: %SYS-6-BOOT: x", "-host\n.flags=no_time\ncisco.mnemonic=BOOT"),
    ROW("<189>45: sw-07: 3d04h: %SYS-6-BOOT: x", "host=sw-07\n.flags=no_time"),
    ROW("<189>: 2026 Nov 22 03:04:05 ICT: %DAEMON-3-SYSTEM_MSG: x",
	".time=2026-11-21T20:04:05.000Z\ncisco.facility=DAEMON\n-host"),
    ROW("<189>sw-08: 2026 Nov 22 03:04:05.242 UTC: %MODULE-2-FAILED: x",
	"host=sw-08\n.time=2026-11-22T03:04:05.242Z"),
    ROW("<189>7: core01 RP/0/RSP0/CPU0:Nov 22 03:04:05 : SSHD_[65]: %SECURITY-SSHD-6-INFO : out",
	"host=core01\napp=SSHD_\nprocid=65\ncisco.mnemonic=INFO"),
    ROW("<166>Nov 22 2026 03:04:05 asa1 : %ASA-6-302013: Built outbound",
	"host=asa1\n.time=2026-11-22T03:04:05.000Z\ncisco.facility=ASA\ncisco.mnemonic=302013\n"
	".message=Built outbound"),
    ROW("<166>Nov 22 2026 03:04:05: %ASA-6-302013: Built outbound", "-host\ncisco.mnemonic=302013"),
    ROW("<13>Nov 22 03:04:05 Message forwarded from aix01: sshd[7]: Invalid user a from 192.0.2.1",
	"host=aix01\napp=sshd\nsrc_ip=192.0.2.1"),
    ROW("<13>Nov 22 03:04:05 last message repeated 3 times",
	"-host\n.message=last message repeated 3 times"),
    ROW("<13>Nov 22 03:04:05 auth.notice web01 su: x", "host=web01\napp=su"),
    ROW("<166>Nov 22 03:04:05 slot1/lb01 notice mcpd[6760]: 01070417:5: x",
	"host=lb01\napp=mcpd\nprocid=6760"),
    ROW("<30>Nov 22 03:04:05 AP7,788a20561234,v4.0.66: logread[5495]: x", "host=AP7\napp=logread"),
    ROW("<13>Nov 22 03:04:05 [fs01:wafl.vol.full:notice]: volume is full", "host=fs01"),
    ROW("<30>Nov 22 03:04:05 (\"AP7,788a20561234,v4.0\") hostapd: ath3: x",
	"host=AP7\napp=hostapd"),
    ROW("<27>[Device: dp-01 192.0.2.3] M_20000: 2 attacks", "host=dp-01\napp=M_20000"),
    ROW("<189>17: Nov 22 03:04:05.397 UTC : %CCM_RTMT-2-ALERT: Name:x Cluster ID: Node ID:cucm01",
	"host=cucm01\ncisco.sequence=17"),
    ROW("<189>17: Nov 22 03:04:05.397 UTC : %UC_AUDITLOG-5-Event: %[App ID=x][Node ID=cucm02]: y",
	"host=cucm02"),
    ROW("<189>Nov 22 03:04:05 SYSMGR[919]: %Viptela-edge-01-sysmgrd-6-INFO-1400002: x",
	"host=edge-01\napp=SYSMGR"),
    ROW("<23>fw-03: NetScreen x", "host=fw-03\n.flags=no_time"),
    ROW("<29>scanner: Password modified", "-host\napp=scanner\n.message=Password modified"),
    ROW("<13>Nov 22 03:04:05 web01 app -: x", "host=web01\napp=app\n.message=x"),
    ROW("<13>Nov 22 03:04:05 web01 app 12 ID4 - x", "app=app\nprocid=12\nmsgid=ID4\n.message=x"),
    ROW("<13>Nov 22 03:04:05 web01 plain words here",
	"host=web01\n-app\n.message=plain words here"),
    ROW("<13>Nov 22 03:04:05 tỉnh-a app: xin chào", "host=tỉnh-a\n.message=xin chào"),
    ROW("\xEF\xBB\xBF<14>Nov 22 03:04:05 web01 app: x", "pri=14\nhost=web01\n.message=x"),
    ROW("<14>1 2026-11-22T03:04:05Z web01 app - - - \xEF\xBB\xBFxin chào", ".message=xin chào"),
    ROW("<13>Nov 22 03:04:05 web01 app: a\0b", ".message=a\2b"),
    ROW("<13>Nov 22 03:04:05 web01 app: a\xFF\xFE", ".message=a\xFF\xFE"),
    ROW("<13>Nov 22 03:04:05 web01 app: x\r\n", ".message=x"),
    ROW("<13>1 2026-11-22T03:04:05Z web01 app - - - a\nb", ".message=a\1b"),
    ROW("2026 is not an octet count", ".message=2026 is not an octet count\n.decoders=plain"),
    ROW("88 <13>Nov 22 03:04:05 web01 app: x", "pri=13\nhost=web01"),
    ROW("", ".decoders=plain\n.flags=no_time"),
    ROW("anything at all", ".decoders=plain\n.message=anything at all\nmessage=anything at all"),
};

static const struct decoded_row rfc5424[] = {
    ROW("<165>1 2026-11-22T03:04:05.003Z web01.example.com app 88 ID47 [ex@32473 a=\"3\" b=\"x "
	"y\"] text",
	".decoders=rfc5424\n.time=2026-11-22T03:04:05.003Z\nhost=web01.example.com\napp="
	"app\nprocid=88\n"
	"msgid=ID47\nex@32473.a=3\nex@32473.b=x y\nsd=[ex@32473 a=\"3\" b=\"x "
	"y\"]\n.message=text\n.flags="),
    ROW("<165>1 - - - - - -", "-host\n-app\n-procid\n-msgid\n.message=\n.flags=no_time"),
    ROW("<13>1 2026-11-22T03:04:05+07:00 h a - - [a x=\"1\"][b y=\"2\"] t",
	"a.x=1\nb.y=2\n.time=2026-11-21T20:04:05.000Z"),
    ROW("<13>1 2026-11-22T03:04:05Z h a - - [a x=\"q\\\"b\\\\s\\]c\\n\"] t", "a.x=q\"b\\s]c\\n"),
    ROW("<13>1 2026-11-22T03:04:05Z h a - - [empty] t", ".message=t\n.flags="),
    ROW("<13>1 2026-11-22T03:04:05Z h a - - [] t", ".message=t\n.flags=bad_sd\nsd=[]"),
    ROW("<14>1 2026-11-22T03:04:05Z esx01 Vpxa 42 - [Originator@6876 sub=vpxLro opID=7] done",
	"Originator@6876.sub=vpxLro\nOriginator@6876.opID=7\n.flags=bad_sd\n.message=done"),
    ROW("<13>1 2026-11-22T03:04:05Z h a - - no data here", ".message=no data here\n.flags=bad_sd"),
    ROW("<13>1 2026-11-22T03:04:05Z h a - - [a x=\"open t",
	".flags=bad_sd\n.message=[a x=\"open t"),
    ROW("<13>1 2026-11-22T03:04:05Z h a - - [a x= \"1\"] t", "a.x=1\n.flags=bad_sd\n.message=t"),
    ROW("<13>1 2026-13-22T03:04:05Z h a - - - t", ".flags=no_time\nhost=h\napp=a\n.message=t"),
    ROW("<13>1 2026-11-22 03:04:05 h a 292 - - t", "host=h\napp=a\nprocid=292\n.message=t"),
    ROW("<13>1 2026-11-22T03:04:05Z h CEF:0|V|P|1|7|n|5|src=192.0.2.1",
	"host=h\n-app\nsrc_ip=192.0.2.1"),
    ROW("<13>1 - - a - - [origin ip=\"192.0.2.4\"] t", "host=192.0.2.4"),
    ROW("<13>1 - - a - - [f@1 t=\"1795316645.5\" h=\"web02\"] t",
	"host=web02\n.time=2026-11-22T03:04:05.500Z\n.flags="),
    ROW("<998>1 2026-11-22T03:04:05Z h a - - - t", ".flags=bad_pri\npri=13\n.message=t"),
};

static void test_stamps(void **state)
{
	(void)state;
	DECODED_CHECK(stamps);
}

static void test_headers(void **state)
{
	(void)state;
	DECODED_CHECK(headers);
}

static void test_rfc5424(void **state)
{
	(void)state;
	DECODED_CHECK(rfc5424);
}

/* A stamp without a zone is in the zone that the collector had in force for the sender. */
static void test_zone(void **state)
{
	struct event event = {.raw = STR("<13>Nov 22 03:04:05 web01 app: x"),
	    .received_ns = decoded_time(DECODED_RECEIVED),
	    .zone_s = 7 * 3600};

	(void)state;
	decoded_check_event(&event, ".time=2026-11-21T20:04:05.000Z");
	event.raw = STR("<13>2026-11-22T03:04:05Z web01 app: x");
	decoded_check_event(&event, ".time=2026-11-22T03:04:05.000Z");
}

/* Around the turn of the year, each side of it. */
static void test_turn_of_year(void **state)
{
	struct event event = {.raw = STR("Dec 31 23:59:59 web01 app: x"),
	    .received_ns = decoded_time("2027-01-01T00:00:02Z")};

	(void)state;
	decoded_check_event(&event, ".time=2026-12-31T23:59:59.000Z");
	event.raw = STR("Jan  1 00:00:30 web01 app: x");
	event.received_ns = decoded_time("2026-12-31T23:59:58Z");
	decoded_check_event(&event, ".time=2027-01-01T00:00:30.000Z");
	event.raw = STR("Feb 29 12:00:00 web01 app: x");
	event.received_ns = decoded_time("2028-03-01T00:00:00Z");
	decoded_check_event(&event, ".time=2028-02-29T12:00:00.000Z");
	event.received_ns = decoded_time("2029-02-01T00:00:00Z");
	decoded_check_event(&event, ".time=2028-02-29T12:00:00.000Z\n.flags=bad_pri,no_year");
}

/* Without a host in the line, the sender's address stands for it; a path does not. */
static void test_peer(void **state)
{
	struct event event = {.raw = STR("<38>Nov 22 03:04:05 sshd[99]: x"),
	    .peer = STR("192.0.2.7:40112"),
	    .received_ns = decoded_time(DECODED_RECEIVED)};

	(void)state;
	decoded_check_event(&event, "host=192.0.2.7");
	event.peer = STR("[2001:db8::7]:40112");
	decoded_check_event(&event, "host=2001:db8::7");
	event.peer = STR("/run/tocsin/log");
	decoded_check_event(&event, "-host");
	event.peer = STR("192.0.2.7:40112");
	event.raw = STR("<38>Nov 22 03:04:05 web01 sshd[99]: x");
	decoded_check_event(&event, "host=web01");
}

/* What Tocsin says of itself has no peer; the same from outside is JSON like any other. */
static void test_own_voice(void **state)
{
	struct event event = {
	    .raw = STR("{\"tocsin\":\"collector\",\"event\":\"sender_silent\"}"),
	    .decoder = STR("tocsin"),
	    .received_ns = decoded_time(DECODED_RECEIVED)};

	(void)state;
	decoded_check_event(&event, ".source=tocsin//collector\nevent=sender_silent");
	event.peer = STR("203.0.113.7:40112");
	decoded_check_event(&event, ".source=//\nevent=sender_silent");
	event.decoder = STR_NONE;
	decoded_check_event(&event, ".source=//\nevent=sender_silent");
	event.peer = STR_NONE;
	event.decoder = STR("tocsin");
	event.raw = STR("{\"tocsim\":\"collector\",\"event\":\"sender_silent\"}");
	decoded_check_event(&event, ".source=//\n.decoders=json\nevent=sender_silent");
	event.raw = STR("{\"x\":1}");
	decoded_check_event(&event, ".source=//\n.decoders=json\nx=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stamps),
	    cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_rfc5424),
	    cmocka_unit_test(test_zone),
	    cmocka_unit_test(test_turn_of_year),
	    cmocka_unit_test(test_peer),
	    cmocka_unit_test(test_own_voice),
	};

	return cmocka_run_group_tests_name("quirks", tests, NULL, NULL);
}
