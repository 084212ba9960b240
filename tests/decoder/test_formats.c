/* Formats in themselves: JSON, CEF, LEEF, key=value, Snare, PAN-OS, web logs, Windows events. */
#include "decoded.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct decoded_row json[] = {
    ROW("{\"timestamp\":\"2026-11-22T03:04:05.5Z\",\"host\":\"web01\",\"n\":7,\"t\":true,\"z\":"
	"null}",
	".decoders=json\nhost=web01\nn=7\nt=true\nz=null\n.time=2026-11-22T03:04:05.500Z\n.flags="),
    ROW("{\"a\":{\"b\":[1,\"x\",{\"c\":2}]},\"e\":{},\"f\":[]}", "a.b=1\na.b=x\na.b.c=2\n-e\n-f"),
    ROW("{\"k\":\"1\",\"k\":\"2\"}", "k=1\nk=2"),
    ROW("{\"m\":\"a\\\"b\\\\\\n\\u00e9\\ud83d\\ude00\\ud800\"}",
	"m=a\"b\\\1\xC3\xA9\xF0\x9F\x98\x80\xEF\xBF\xBD"),
    ROW("<14>Nov 22 03:04:05 web01 app: @cee: {\"msg\":\"hi\",\"user\":\"lan\"}",
	".decoders=rfc3164/json\n.message=hi\nUser=lan\nhost=web01\napp=app"),
    ROW("@cee:{\"msg\":\"hi\"}", ".decoders=json\n.message=hi"),
    ROW("{\"version\":\"1.1\",\"host\":\"web01\",\"short_message\":\"hi\",\"_a\":1}",
	".decoders=json\n.message=hi\nhost=web01\n_a=1"),
    ROW("{\"short_message\":\"hi\",\"_srcip\":\"192.0.2.5\",\"_dst_ip\":\"192.0.2.9\","
	"\"_user\":\"an\",\"_\":1,\"__user\":\"no\"}",
	"_srcip=192.0.2.5\nsrc_ip=192.0.2.5\ndst_ip=192.0.2.9\nUser=an"),
    ROW("<134>Nov 22 03:04:05 ids01 suricata[5]: "
	"{\"timestamp\":\"2026-11-22T03:04:05.263892+0000\","
	"\"src_ip\":\"192.0.2.5\",\"dest_ip\":\"192.0.2.9\",\"dest_port\":443,\"proto\":\"TCP\"}",
	"src_ip=192.0.2.5\ndst_ip=192.0.2.9\ndst_port=443\nprotocol=TCP\n.time=2026-11-22T03:04:05."
	"263Z"),
    ROW("{\"a\":1", ".decoders=plain\n-a"),
    ROW("{\"a\":1}x", ".decoders=plain\n-a"),
    ROW("{\"a\":1,}", ".decoders=plain"),
    ROW("{\"a\":\"\\x\"}", ".decoders=plain"),
    ROW("[1]", ".decoders=plain"),
    ROW("{}", ".decoders=json"),
    ROW("{\"time\":1795316645,\"lat\":00.5}", ".time=2026-11-22T03:04:05.000Z\nlat=00.5"),
    ROW("{\"EventTime\":\"2026-11-22 10:04:05\",\"@timestamp\":\"2026-11-22T03:04:05Z\"}",
	".time=2026-11-22T03:04:05.000Z"),
};

static const struct decoded_row cef[] = {
    ROW("CEF:0|Vendor|Product|1.0|100|worm stopped|10|src=192.0.2.5 dst=192.0.2.9 spt=1232 dpt=80 "
	"proto=TCP "
	"act=blocked suser=lan",
	".decoders=cef\ncefVersion=0\ndeviceVendor=Vendor\ndeviceProduct=Product\ndeviceVersion=1."
	"0\n"
	"deviceEventClassId=100\nname=worm "
	"stopped\ndeviceSeverity=10\nsrc=192.0.2.5\nsrc_ip=192.0.2.5\n"
	"dst_ip=192.0.2.9\nsrc_port=1232\ndst_port=80\nprotocol=TCP\naction=blocked\nUser=lan"),
    ROW("<14>Nov 22 03:04:05 fw01 CEF:0|V\\|x|P\\\\y|1|2|n|3|msg=a \\= b\\nc path=C:\\\\temp "
	"cs1Label=Rule Name "
	"cs1=Allow all",
	"host=fw01\n-app\ndeviceVendor=V|x\ndeviceProduct=P\\y\nmsg=a = "
	"b\1c\npath=C:\\temp\ncs1=Allow all\n"
	"Rule Name=Allow all"),
    ROW("CEF:0|V|P|1|2|n|3|msg=status=ok reason=none dst=192.0.2.9",
	"msg=status=ok\nreason=none\ndst_ip=192.0.2.9"),
    ROW("CEF:0|V|P|1||n||shost= src=192.0.2.5", "deviceEventClassId=\nshost=\nsrc=192.0.2.5"),
    ROW("CEF: 0|V|P|1|2|n|3|rt=1795316645000", ".time=2026-11-22T03:04:05.000Z"),
    ROW("CEF:0|V|P|1|2|n", ".decoders=plain"),
    ROW("<14>Nov 22 03:04:05 fw01 named[4]: CEF:0|V|P|1|2|n|3|rt=Nov 22 2026 03:04:05.250 UTC",
	"app=named\n.time=2026-11-22T03:04:05.250Z"),
};

static const struct decoded_row leef[] = {
    ROW("<13>Nov 22 03:04:05 fw01 "
	"LEEF:1.0|V|P|1|id7|src=192.0.2.5\tdst=192.0.2.9\tsrcPort=81\tusrName=lan",
	".decoders=rfc3164/"
	"leef\nhost=fw01\nleefVersion=1.0\ndeviceEventClassId=id7\nsrc_ip=192.0.2.5\n"
	"src_port=81\nUser=lan"),
    ROW("LEEF:2.0|V|P|1|id7|^|src=192.0.2.5^cat=a b^x=", "src=192.0.2.5\ncat=a b\nx="),
    ROW("LEEF:2.0|V|P|1|id7|x7C|src=192.0.2.5|cat=b", "src=192.0.2.5\ncat=b"),
    ROW("LEEF:2.0|V|P|1|id7|0x09|src=192.0.2.5\tcat=b", "src=192.0.2.5\ncat=b"),
    ROW("LEEF:2.0|V|P|1|id7|src=192.0.2.5\tcat=b", "src=192.0.2.5\ncat=b"),
    ROW("<13>Jan  1 01:01:00 fw01 LEEF:1.0|V|P|1|id7|a=b\tdevTime=1795316645",
	".time=2026-11-22T03:04:05.000Z"),
    ROW("LEEF:1.0|V|P", ".decoders=plain"),
};

static const struct decoded_row kv[] = {
    ROW("<189>date=2026-11-22 time=10:04:05 devname=\"fw01\" devid=\"FG100\" logid=\"0001\" "
	"tz=\"+0700\" "
	"type=\"traffic\" subtype=\"forward\" srcip=192.0.2.5 srcport=51000 dstip=198.51.100.9 "
	"dstport=443 "
	"proto=6 action=\"deny\" user=\"lan\"",
	".decoders=rfc3164/"
	"kv\nhost=fw01\n.time=2026-11-22T03:04:05.000Z\nsrc_ip=192.0.2.5\nsrc_port=51000\n"
	"dst_ip=198.51.100.9\ndst_port=443\nprotocol=6\naction=deny\nUser=lan\n"
	".source=fortigate/firewall/traffic"),
    ROW("time=1795316645|hostname=fw02|product=Anti Spam|action=Drop|ifdir=inbound|src=192.0.2.5",
	"host=fw02\nproduct=Anti "
	"Spam\naction=Drop\nsrc_ip=192.0.2.5\n.time=2026-11-22T03:04:05.000Z"),
    ROW("<134>id=firewall sn=1 time=\"2026-11-22 03:04:05 UTC\" fw=fw03 pri=6 msg=\"Closed\" n=1",
	"host=fw03\nmsg=Closed\n.time=2026-11-22T03:04:05.000Z"),
    ROW("level=info msg=\"quote \\\" in\" path=C:\\temp n=5",
	"level=info\nmsg=quote \" in\npath=C:\\temp\nn=5"),
    ROW("a= b= c=d", "a=\nb=\nc=d"),
    ROW("a=one two,b=three four,c=5", "a=one two\nb=three four\nc=5"),
    ROW("a=1;b=2;c=3", "a=1\nb=2\nc=3"),
    ROW("2026-11-22 03:04:05\tuser=lan\ttype=tunnel up\thost=fw04",
	"User=lan\ntype=tunnel up\nhost=fw04\n.time=2026-11-22T03:04:05.000Z"),
    ROW("<134>1 1795316645.5 ap-07 flows src=192.0.2.5 dst=192.0.2.9 protocol=udp sport=1 allow "
	"all",
	"host=ap-07\nsrc_ip=192.0.2.5\ndst_ip=192.0.2.9\nprotocol=udp\n.decoders=rfc3164/pairs\n"
	".message=flows src=192.0.2.5 dst=192.0.2.9 protocol=udp sport=1 allow all"),
    ROW("<29> printer: Password modified; time=\"2026-Nov-22 03:04 AM (UTC-00:00)\" user=\"lan\" "
	"outcome=ok",
	"app=printer\nUser=lan\noutcome=ok\n.time=2026-11-22T03:04:00.000Z\n.flags="),
    ROW("<29>Nov 22 03:04:05 h app: a sentence with x=1 and y=2 only", "-x\n.decoders=rfc3164"),
    ROW("x = y is no pair", ".decoders=plain"),
    ROW("only=one", ".decoders=plain"),
};

static const struct decoded_row laurel[] = {
    ROW("{\"ID\":\"1795316645.250:42\",\"NODE\":\"web01\",\"SYSCALL\":{\"syscall\":59,\"a0\":"
	"\"0x55d0\",\"exe\":\"/usr/bin/cat\",\"key\":\"k1\",\"SYSCALL\":\"execve\"},"
	"\"EXECVE\":{\"argc\":2,\"ARGV\":[\"cat\",\"/etc/shadow\"]},\"CWD\":{\"cwd\":\"/tmp\"},"
	"\"PATH\":[{\"item\":0,\"name\":\"/usr/bin/cat\"},{\"item\":1,\"name\":\"/lib/ld.so\"}]}",
	".source=linux//auditd\n.time=2026-11-22T03:04:05.250Z\nhost=web01\ntype=SYSCALL\n"
	"type=EXECVE\ntype=CWD\ntype=PATH\na0=cat\na1=/etc/shadow\nexe=/usr/bin/cat\nkey=k1\n"
	"SYSCALL=execve\nname=/usr/bin/cat\nname=/lib/ld.so\ncwd=/tmp\n"
	".decoders=json/laurel"),
    ROW("{\"ID\":\"42\",\"NODE\":\"web01\",\"SYSCALL\":{\"exe\":\"/bin/x\"}}",
	".source=//\n-exe\n-type\n.decoders=json"),
    ROW("{\"ID\":\"1795316645.250:x\",\"A\":{\"exe\":\"/bin/x\"}}", ".source=//\n-exe"),
};

#define SYSMON_LOG "Microsoft-Windows-Sysmon/Operational"
#define SYSMON_SOURCE ".source=windows/process_creation/sysmon\n"

static const struct decoded_row windows_xml[] = {
    ROW("<Event xmlns='http://schemas.example/'><System><Provider Name='P' Guid=\"{5}\"/>"
	"<EventID Qualifiers=''>1</EventID><Keywords/><TimeCreated "
	"SystemTime='2026-11-22T03:04:05.2500000Z'/><Channel>" SYSMON_LOG "</Channel><Computer>"
	"pc01.example.com</Computer></System><EventData><Data Name='Image'>C:\\a&amp;b\\x.exe"
	"</Data><Data Name=\"Command Line\">&lt;x&gt; &#x1EC7;&#46; &nbsp; &quot;&apos;&#0;</Data>"
	"<Data Name='None'/><Data Name='Empty'></Data><Data Name='a > b'>1</Data></EventData>"
	"</Event>",
	SYSMON_SOURCE "EventID=1\nProvider_Name=P\nProvider_Guid={5}\nComputer=pc01.example.com\n"
	"host=pc01.example.com\nImage=C:\\a&b\\x.exe\nCommandLine=<x> \xE1\xBB\x87. &nbsp; "
	"\"'&#0;\nNone=\nEmpty=\na>b=1\n-Keywords\n-EventID_Qualifiers\n"
	".time=2026-11-22T03:04:05.250Z\n.flags=\n.decoders=windows_xml/windows"),
    ROW("<14>Nov 22 03:04:05 web01 sysmon: <Event><System><Provider Name=\"Linux-Sysmon\"/>"
	"<EventID>1</EventID><Channel>Linux-Sysmon/Operational</Channel><Computer>web01</Computer>"
	"</System><EventData><Data Name=\"Image\">/usr/bin/cat</Data></EventData></Event>",
	".source=linux/process_creation/sysmon\nhost=web01\nImage=/usr/bin/cat\n"
	".decoders=rfc3164/windows_xml/windows"),
    ROW("<?xml version=\"1.0\"?>\r\n <Event><System><EventID>104</EventID><Channel>System"
	"</Channel></System><UserData><e:Cleared xmlns:e='x'><e:SubjectUserName>lan"
	"</e:SubjectUserName></e:Cleared></UserData><RenderingInfo><Level>Tin</Level><Message>"
	"<![CDATA[gone & <b>]]></Message></RenderingInfo></Event>",
	".source=windows//system\nSubjectUserName=lan\nMessage=gone & <b>\n-Level\n-Cleared\n"
	".message=gone & <b>"),
    ROW("{\"message\":\"<Event><System><EventID>7045</EventID><Channel>System</Channel></System>"
	"<EventData><Data>a</Data><Binary>00</Binary></EventData></Event>\"}",
	".source=windows//system\nEventID=7045\nData=a\nBinary=00\n"
	".decoders=json/windows_xml/windows"),
    ROW("{\"message\":\"<Event>\"}", ".decoders=json"),
    ROW("<Events><EventID>1</EventID></Events>", ".decoders=plain"),
    ROW("<Event><System><Channel>System</Channel></System></Event>", ".decoders=plain"),
    ROW("<Event><System><EventID>1</EventID></System></Event>",
	"EventID=1\n.source=//\n.decoders=windows_xml"),
};

/* Windows' events as others hand them on. */
static const struct decoded_row windows_handed_on[] = {
    /* Wazuh */
    ROW("{\"agent\":{\"name\":\"a1\"},\"data\":{\"win\":{\"system\":{\"providerName\":\"P\","
	"\"eventID\":\"1\",\"channel\":\"" SYSMON_LOG "\",\"computer\":\"pc01\"},\"eventdata\":{"
	"\"image\":\"C:\\\\\\\\a\\\\\\\\x.exe\",\"commandLine\":\"x \\\\\\\\\\\\\\\\s\\\\\\\\t\","
	"\"utcTime\":\"2026-11-22 03:04:05.250\"}}}}",
	SYSMON_SOURCE "Image=C:\\a\\x.exe\nCommandLine=x \\\\s\\t\nComputer=pc01\nhost=pc01\n"
	"Provider_Name=P\nEventID=1\n-image"),
    ROW("{\"win\":{\"system\":{\"eventID\":\"1\",\"channel\":\"" SYSMON_LOG "\"},\"eventdata\":{"
	"\"image\":\"C:\\\\a\\\\x.exe\",\"commandLine\":\"x \\\\\\\\s\\\\\\\\t\"}}}",
	SYSMON_SOURCE "Image=C:\\a\\x.exe\nCommandLine=x \\\\s\\\\t"),
    /* the OpenTelemetry collector's receiver, both of its shapes */
    ROW("{\"channel\":\"" SYSMON_LOG "\",\"computer\":\"pc01\",\"event_id\":{\"id\":1,"
	"\"qualifiers\":0},\"provider\":{\"name\":\"P\"},\"event_data\":{\"data\":[{\"Image\":"
	"\"C:\\\\x.exe\"},{\"User\":\"lan\"}]}}",
	SYSMON_SOURCE "Image=C:\\x.exe\nUser=lan\nEventID=1\nProvider_Name=P\nhost=pc01"),
    ROW("{\"body\":{\"channel\":\"" SYSMON_LOG "\",\"event_id\":{\"id\":1},\"event_data\":{"
	"\"Image\":\"C:\\\\x.exe\"}}}",
	SYSMON_SOURCE "Image=C:\\x.exe\nEventID=1"),
    ROW("{\"channel\":\"general\",\"event_id\":7,\"computer\":\"c\"}", ".source=//\n-Channel"),
    /* Vector */
    ROW("{\"channel\":\"" SYSMON_LOG "\",\"computer\":\"pc01\",\"event_id\":1,\"provider_name\":"
	"\"P\",\"event_data\":{\"Image\":\"C:\\\\x.exe\"}}",
	SYSMON_SOURCE "Image=C:\\x.exe\nEventID=1\nProvider_Name=P\nhost=pc01"),
    /* NXLog's GELF; Winlogbeat through Graylog, which may keep the underscore */
    ROW("{\"version\":\"1.1\",\"host\":\"pc01\",\"short_message\":\"m\",\"_EventID\":1,"
	"\"_Channel\":\"" SYSMON_LOG "\",\"_Image\":\"C:\\\\x.exe\",\"_id\":\"7\"}",
	SYSMON_SOURCE "Image=C:\\x.exe\nEventID=1\n_id=7\n-_Image"),
    ROW("{\"short_message\":\"m\",\"_winlogbeat_winlog_channel\":\"" SYSMON_LOG "\","
	"\"_winlogbeat_winlog_event_id\":\"1\",\"_winlogbeat_winlog_event_data_Image\":"
	"\"C:\\\\x.exe\"}",
	SYSMON_SOURCE "Image=C:\\x.exe\nEventID=1"),
    ROW("{\"winlogbeat_log_name\":\"" SYSMON_LOG "\",\"winlogbeat_event_id\":1,"
	"\"winlogbeat_event_data_Image\":\"C:\\\\x.exe\",\"winlogbeat_computer_name\":\"pc01\"}",
	SYSMON_SOURCE "Image=C:\\x.exe\nEventID=1\nhost=pc01"),
    ROW("{\"winlog_channel\":\"" SYSMON_LOG "\",\"winlog_event_id\":1,"
	"\"winlog_event_data_Image\":\"C:\\\\x.exe\"}",
	SYSMON_SOURCE "Image=C:\\x.exe\nEventID=1"),
    /* Elastic Agent behind a pipeline that keeps ECS' name of the id alone */
    ROW("{\"event\":{\"code\":\"1\"},\"winlog\":{\"channel\":\"" SYSMON_LOG "\",\"event_data\":{"
	"\"Image\":\"C:\\\\x.exe\"}}}",
	SYSMON_SOURCE "Image=C:\\x.exe\nEventID=1"),
    /* Fluent Bit's winevtlog, which knows the values but not their names */
    ROW("{\"ProviderName\":\"P\",\"EventID\":1,\"Channel\":\"" SYSMON_LOG "\",\"Computer\":"
	"\"pc01\","
	"\"Message\":\"Process Create:\\r\\nRuleName: -\\r\\nImage: C:\\\\x.exe\\r\\n"
	"CommandLine: x /a: b\\r\\nnot this: one\\r\\nUser: P\\\\lan\",\"StringInserts\":[\"-\",\"C:\\\\x.exe\"]}",
	SYSMON_SOURCE "Image=C:\\x.exe\nCommandLine=x /a: b\nUser=P\\lan\nRuleName=-\n-not this"),
    ROW("{\"EventID\":20,\"Channel\":\"" SYSMON_LOG "\",\"Message\":"
	"\"WmiEventConsumer activity:\\r\\nDestination: x\\r\\nUser: lan\"}",
	".source=windows/wmi_event/sysmon\n-User\n-Destination"),
};

static const struct decoded_row others[] = {
    ROW("<13>Nov 22 03:04:05 pc01 MSWinEventLog\t1\tSecurity\t42\tSun Nov 22 03:04:05 2026\t4625\t"
	"Microsoft-Windows-Security-Auditing\tlan\tN/A\tFailure "
	"Audit\tpc01.example.com\tLogon\t\tAn account "
	"failed to log on.\t7",
	"Channel=Security\nEventID=4625\nUser=lan\nComputer=pc01.example.com\nhost=pc01.example."
	"com\n"
	".source=windows//security\n.message=An account failed to log "
	"on.\n.decoders=rfc3164/snare/windows"),
    ROW("<13>Nov 22 03:04:05 pc01 MSWinEventLog#0111#011System#01142#011Sun Nov 22 03:04:05 "
	"2026#0117045#011"
	"Service Control Manager#011x",
	"Channel=System\nEventID=7045\n.source=windows//system"),
    ROW("<14>Nov 22 03:04:05 pa01 1,2026/11/22 03:04:05,007200001,TRAFFIC,end,1,2026/11/22 "
	"03:04:05,192.0.2.5,"
	"198.51.100.9,0.0.0.0,0.0.0.0,rule1,lan,,web-browsing,vsys1,trust,untrust,eth1,eth2,log,x,"
	"1,1,51000,80,0,"
	"0,0x1,tcp,allow,2026-11-22T10:04:05.250+07:00",
	".decoders=rfc3164/"
	"paloalto\nhost=pa01\nsrc_ip=192.0.2.5\ndst_ip=198.51.100.9\nsrc_port=51000\n"
	"dst_port=80\nprotocol=tcp\naction=allow\nUser=lan\nrule=rule1\n.time=2026-11-22T03:04:05."
	"250Z\n"
	".source=paloalto/firewall/"),
    ROW("1,2 apples, 3 pears", ".decoders=plain"),
};

static const struct decoded_row web[] = {
    ROW("192.0.2.5 - lan [22/Nov/2026:10:04:05 +0700] \"GET /a/b.php?x=1&y=2 HTTP/1.1\" 200 512 "
	"\"https://example.com/\" \"Mozilla/5.0 (X11)\"",
	".decoders=web_access\nc-ip=192.0.2.5\ncs-username=lan\ncs-method=GET\nc-uri=/a/"
	"b.php?x=1&y=2\n"
	"cs-uri-stem=/a/b.php\ncs-uri-query=x=1&y=2\ncs-version=HTTP/"
	"1.1\nsc-status=200\nsc-bytes=512\n"
	"cs-referer=https://example.com/\ncs-user-agent=Mozilla/5.0 (X11)\nsrc_ip=192.0.2.5\n"
	".time=2026-11-22T03:04:05.000Z\n.source=/webserver/apache"),
    ROW("192.0.2.5 - - [22/Nov/2026:03:04:05 +0000] \"GET / HTTP/1.0\" 404 -",
	"sc-status=404\n-sc-bytes\n-cs-username\n-cs-uri-query\ncs-uri-stem=/"),
    ROW("www.example.com:443 2001:db8::5 - - [22/Nov/2026:03:04:05 +0000] \"POST /x HTTP/1.1\" 500 "
	"7 \"-\" \"-\"",
	"cs-host=www.example.com\nc-ip=2001:db8::5\ncs-method=POST\n-cs-referer\n-cs-user-agent"),
    ROW("192.0.2.5 - - [22/Nov/2026:03:04:05 +0000] \"\\x16\\x03\\x01\" 400 226",
	"c-uri=\\x16\\x03\\x01\nsc-status=400"),
    ROW("192.0.2.5 - - [22/Nov/2026:03:04:05 +0000] \"GET /a\\\"b HTTP/1.1\" 200 1",
	"cs-uri-stem=/a\\\"b"),
    ROW("192.0.2.5 - - [22/Nov/2026:03:04:05 +0000] \"-\" 408 -", "sc-status=408\n-cs-method"),
    ROW("<190>Nov 22 03:04:05 web01 nginx: 192.0.2.5 - - [22/Nov/2026:03:04:05 +0000] \"GET / "
	"HTTP/2.0\" 200 1 "
	"\"-\" \"curl/8\"",
	"host=web01\ncs-user-agent=curl/8\n.source=/webserver/nginx\n.decoders=rfc3164/web_access"),
    ROW("[Sun Nov 22 03:04:05.123456 2026] [php7:error] [pid 42:tid 7] [client 192.0.2.5:5000] "
	"script not found",
	".decoders=apache_error\nsrc_ip=192.0.2.5\nsrc_port=5000\nmodule=php7\nlevel=error\npid="
	"42\n"
	".message=script not found\n.time=2026-11-22T03:04:05.123Z\n.source=//apache"),
    ROW("[Sun Nov 22 03:04:05 2026] [error] [client 192.0.2.5] File does not exist: /x",
	"c-ip=192.0.2.5\nlevel=error\n-src_port\n.message=File does not exist: /x"),
    ROW("[Sun Nov 22 03:04:05 2026] [notice] workerEnv.init() ok",
	"level=notice\n.message=workerEnv.init() ok"),
    ROW("2026/11/22 03:04:05 [error] 31#31: *5 open() \"/x\" failed, client: 192.0.2.5, server: "
	"a.example.com, "
	"request: \"GET /x HTTP/1.1\", host: \"a.example.com\"",
	"src_ip=192.0.2.5\nserver=a.example.com\nrequest=GET /x HTTP/1.1\ncs-host=a.example.com\n"
	".time=2026-11-22T03:04:05.000Z\n.source=//nginx"),
};

static const struct decoded_row windows[] = {
    ROW("{\"Channel\":\"security\",\"EventID\":4688,\"SourceName\":\"Microsoft-Windows-Security-"
	"Auditing\","
	"\"Hostname\":\"PC01.example.com\",\"NewProcessName\":\"C:\\\\a.exe\","
	"\"ParentProcessName\":\"C:\\\\p.exe\","
	"\"CommandLine\":\"a -b\",\"EventTime\":\"2026-11-22T10:04:05+07:00\"}",
	".decoders=json/windows\n.source=windows/process_creation/"
	"security\nImage=C:\\a.exe\nParentImage=C:\\p.exe\n"
	"NewProcessName=C:\\a.exe\nCommandLine=a "
	"-b\nProvider_Name=Microsoft-Windows-Security-Auditing\n"
	"Computer=PC01.example.com\nhost=PC01.example.com\n.time=2026-11-22T03:04:05.000Z"),
    ROW("{\"Channel\":\"Microsoft-Windows-Sysmon/"
	"Operational\",\"EventID\":\"13\",\"EventType\":\"SetValue\","
	"\"TargetObject\":\"HKLM\\\\x\",\"Account Name\":\"lan\"}",
	".source=windows/registry_event+registry_set/"
	"sysmon\nTargetObject=HKLM\\x\nAccountName=lan"),
    ROW("{\"Channel\":\"Microsoft-Windows-Sysmon/"
	"Operational\",\"EventID\":12,\"EventType\":\"CreateKey\"}",
	".source=windows/registry_event+registry_add/sysmon"),
    ROW("{\"@timestamp\":\"2026-11-22T03:04:05.250Z\",\"host\":{\"name\":\"pc02\"},\"winlog\":{"
	"\"channel\":\"Security\","
	"\"event_id\":\"4625\",\"provider_name\":\"Microsoft-Windows-Security-Auditing\","
	"\"computer_name\":\"PC02\","
	"\"event_data\":{\"TargetUserName\":\"admin\",\"IpAddress\":\"192.0.2.5\",\"LogonType\":"
	"\"3\"}},"
	"\"message\":\"failed\"}",
	"Channel=Security\nEventID=4625\nProvider_Name=Microsoft-Windows-Security-"
	"Auditing\nComputer=PC02\n"
	"TargetUserName=admin\nIpAddress=192.0.2.5\nLogonType=3\nhost=PC02\n.message=failed\n"
	".source=windows//security\n.time=2026-11-22T03:04:05.250Z"),
    ROW("<14>Nov 22 05:00:00 relay01 winlogbeat: "
	"{\"@timestamp\":\"2026-11-22T03:04:05Z\",\"winlog\":{\"channel\":"
	"\"System\",\"event_id\":7045,\"event_data\":{\"ImagePath\":\"C:\\\\x.exe\"}}}",
	"ImagePath=C:\\x.exe\nhost=relay01\n.source=windows//"
	"system\n.time=2026-11-22T03:04:05.000Z\n"
	".decoders=rfc3164/json/windows"),
    ROW("{\"winlog\":{\"channel\":\"sECURITY\",\"event_id\":4688,\"event_data\":{"
	"\"NewProcessName\":\"C:\\\\x.exe\",\"ParentProcessName\":\"C:\\\\y.exe\","
	"\"ParentImage\":\"z\","
	"\"UtcTime\":\"2026-11-22 03:04:05.5\",\"Token Type\":1}},\"TimeCreated\":\"no time\"}",
	"NewProcessName=C:\\x.exe\nImage=C:\\x.exe\nParentImage=z\nTokenType=1\n"
	"-winlog.event_data.NewProcessName\n.source=windows/process_creation/security\n"
	".time=2026-11-22T03:04:05.500Z"),
    /* what converters of evtx and of XML make of the same event */
    ROW("{\"Event\":{\"#attributes\":{\"xmlns\":\"x\"},\"System\":{\"Provider\":{\"#attributes\":"
	"{\"Name\":\"Microsoft-Windows-Sysmon\"}},\"EventID\":{\"#attributes\":{\"Qualifiers\":0},"
	"\"#text\":1},"
	"\"TimeCreated\":{\"#attributes\":{\"SystemTime\":\"2026-11-22T03:04:05.5Z\"}},"
	"\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Computer\":\"PC03\"},"
	"\"EventData\":{\"Image\":\"C:\\\\x.exe\"}}}",
	"EventID=1\nImage=C:\\x.exe\nProvider_Name=Microsoft-Windows-Sysmon\nComputer=PC03\n"
	"host=PC03\n.source=windows/process_creation/sysmon\n.time=2026-11-22T03:04:05.500Z"),
    ROW("{\"Event\":{\"System\":{\"Provider\":{\"@Name\":\"Microsoft-Windows-Security-Auditing\"},"
	"\"EventID\":\"4688\",\"TimeCreated\":{\"@SystemTime\":\"2026-11-22T03:04:05Z\"},"
	"\"Channel\":\"Security\"},\"EventData\":{\"Data\":["
	"{\"@Name\":\"SubjectUserName\"},{\"@Name\":\"NewProcessName\",\"#text\":\"C:\\\\x.exe\"},"
	"{\"@Name\":\"Token Type\",\"#text\":\"%%1936\"}]}}}",
	"NewProcessName=C:\\x.exe\nImage=C:\\x.exe\nTokenType=%%1936\n-SubjectUserName\n"
	"Provider_Name=Microsoft-Windows-Security-Auditing\n-Data.#text\n"
	".source=windows/process_creation/security\n.time=2026-11-22T03:04:05.000Z"),
    ROW("{\"Event\":{\"System\":{\"EventID\":{\"_\":\"1\"},"
	"\"Channel\":\"Microsoft-Windows-Sysmon/Operational\"},\"EventData\":{\"Data\":["
	"{\"_\":\"C:\\\\x.exe\",\"$\":{\"Name\":\"Image\"}},{\"$\":{\"Name\":\"Hashes\"}},"
	"{\"_\":\"x -a\",\"$\":{\"Name\":\"CommandLine\"}}]}}}",
	"Image=C:\\x.exe\nCommandLine=x -a\n-Hashes\n.source=windows/process_creation/sysmon"),
    ROW("{\"Event\":{\"System\":{\"EventID\":8004,\"Channel\":"
	"\"Microsoft-Windows-AppLocker/EXE and DLL\"},\"UserData\":{\"RuleAndFileData\":{"
	"\"#attributes\":{\"xmlns\":\"x\"},\"FilePath\":\"%OSDRIVE%\\\\x.exe\"}}}}",
	"FilePath=%OSDRIVE%\\x.exe\n.source=windows//applocker"),
    ROW("{\"System\":{\"Provider\":{\"Name\":\"Microsoft-Windows-Sysmon\"},"
	"\"EventID\":{\"Value\":22},"
	"\"TimeCreated\":{\"SystemTime\":1795316645.5},\"Computer\":\"PC04\","
	"\"Channel\":\"Microsoft-Windows-Sysmon/Operational\"},"
	"\"EventData\":{\"QueryName\":\"example.com\"},"
	"\"Message\":\"a query\"}",
	"EventID=22\nQueryName=example.com\nProvider_Name=Microsoft-Windows-Sysmon\nComputer=PC04\n"
	".message=a query\n.source=windows/dns_query/sysmon\n.time=2026-11-22T03:04:05.500Z"),
    ROW("{\"LogName\":\"Security\",\"EventCode\":4625,\"ComputerName\":\"PC05\","
	"\"TargetUserName\":\"lan\"}",
	"Channel=Security\nEventID=4625\nTargetUserName=lan\n.source=windows//security"),
    ROW("{\"_source\":{\"@timestamp\":\"2026-11-22T03:04:05Z\",\"winlog\":{\"channel\":"
	"\"Security\","
	"\"event_id\":\"4688\",\"event_data\":{\"NewProcessName\":\"C:\\\\x.exe\"}}}}",
	"Channel=Security\nEventID=4688\nImage=C:\\x.exe\n.source=windows/process_creation/security\n"
	".time=2026-11-22T03:04:05.000Z"),
    /* the cloud's and others' names of the time */
    ROW("{\"published\":\"2026-11-22T03:04:05.123Z\"}", ".time=2026-11-22T03:04:05.123Z"),
    ROW("{\"activityDateTime\":\"2026-11-22T03:04:05.1234567Z\"}",
	".time=2026-11-22T03:04:05.123Z"),
    ROW("{\"CreationTime\":\"2026-11-22T03:04:05Z\"}", ".time=2026-11-22T03:04:05.000Z"),
    ROW("{\"id\":{\"time\":\"2026-11-22T03:04:05Z\"}}", ".time=2026-11-22T03:04:05.000Z"),
    ROW("{\"time_local\":\"22/Nov/2026:03:04:05 +0000\"}", ".time=2026-11-22T03:04:05.000Z"),
    ROW("{\"__REALTIME_TIMESTAMP\":\"1795316645500000\"}", ".time=2026-11-22T03:04:05.500Z"),
    ROW("{\"requestReceivedTimestamp\":\"2026-11-22T03:04:05.000000Z\"}",
	".time=2026-11-22T03:04:05.000Z"),
    ROW("{\"_time\":\"2026-11-22T10:04:05.000+07:00\"}", ".time=2026-11-22T03:04:05.000Z"),
    ROW("{\"@timestamp\":[\"2026-11-22T03:04:05Z\",\"2026-11-22T03:04:06Z\"],\"a\":1}",
	".time=2026-11-22T03:04:05.000Z"),
    ROW("{\"ts\":\"2026-11-22T03:04:09Z\",\"@timestamp\":[\"x\",\"2026-11-22 03:04:05\","
	"\"2026-11-22T03:04:06Z\",\"2026-11-22T03:04:07Z\"]}",
	".time=2026-11-22T03:04:06.000Z"),
    ROW("{\"ts\":\"2026-11-22 03:04:09\",\"@timestamp\":[\"2026-11-22 03:04:05\","
	"\"2026-11-22 03:04:06\"]}",
	".time=2026-11-22T03:04:05.000Z"),
    ROW("{\"Channel\":\"Security\",\"EventID\":\"04688\",\"NewProcessName\":\"x\"}",
	"-Image\n.source=windows//security"),
    ROW("{\"Channel\":\"Security\",\"EventID\":\"\",\"TimeCreated\":\"2026-11-22 09:00:00\","
	"\"@timestamp\":\"2026-11-22T03:04:05Z\",\"ts\":\"2026-11-22T03:04:06Z\"}",
	".source=windows//security\n.time=2026-11-22T03:04:05.000Z"),
    ROW("{\"Event\":{\"System\":{\"Channel\":\"Security\",\"EventID\":1102,\"Computer\":\"PC03\"},"
	"\"EventData\":{\"a\":1}}}",
	"EventID=1102\nComputer=PC03\na=1\n.source=windows//security"),
    ROW("{\"Channel\":\"Microsoft-Windows-Windows "
	"Defender/Operational\",\"EventID\":1116,\"ThreatName\":\"EICAR\","
	"\"Path\":\"C:\\\\e\"}",
	".source=windows/antivirus/windefend\nSignature=EICAR\nFilename=C:\\e"),
    ROW("{\"Channel\":\"Unheard of\",\"EventID\":1}", ".source=windows//"),
    ROW("{\"Channel\":\"Security\"}", ".decoders=json\n.source=//"),
};

#define TEST(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		DECODED_CHECK(name);                                                               \
	}

TEST(json)
TEST(cef)
TEST(leef)
TEST(kv)
TEST(others)
TEST(web)
TEST(windows)

static void test_laurel(void **state)
{
	(void)state;
	DECODED_CHECK(laurel);
}

static void test_windows_xml(void **state)
{
	(void)state;
	DECODED_CHECK(windows_xml);
}

static void test_windows_handed_on(void **state)
{
	(void)state;
	DECODED_CHECK(windows_handed_on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_cef),
	    cmocka_unit_test(test_leef),
	    cmocka_unit_test(test_kv),
	    cmocka_unit_test(test_others),
	    cmocka_unit_test(test_web),
	    cmocka_unit_test(test_windows),
	    cmocka_unit_test(test_laurel),
	    cmocka_unit_test(test_windows_xml),
	    cmocka_unit_test(test_windows_handed_on),
	};

	return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
