/*
 * lines.h - lines for the programs of this folder, of our own making: one maker a format, each line
 * different in what differs in life (times, hosts, addresses, accounts, numbers), the same in every
 * run.
 */
#ifndef TOCSIN_BENCH_LINES_H
#define TOCSIN_BENCH_LINES_H

#include "bench/bench.h"

#define LINES_COUNT 2048

struct lines {
	struct arena *arena;
	struct event *events;
	size_t count;
	size_t bytes; /* of all lines */
};

/* What a maker draws from. */
struct draw {
	uint64_t state;
	unsigned index;
};

static inline unsigned draw(struct draw *draw, unsigned below)
{
	draw->state = draw->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(draw->state >> 33) % below;
}

static inline const char *draw_user(struct draw *d)
{
	static const char *const names[] = {
	    "nguyen.an", "tran.binh", "le.chi", "pham.dung", "root", "admin", "vo.giang", "backup"};

	return names[draw(d, 8)];
}

static inline const char *draw_place(struct draw *d)
{
	static const char *const names[] = {
	    "hue", "daklak", "camau", "sonla", "angiang", "quangtri", "laocai", "nghean"};

	return names[draw(d, 8)];
}

typedef void line_maker(struct buf *out, struct draw *d);

static inline void line_time_3164(struct buf *out, struct draw *d, unsigned pri)
{
	buf_printf(out, "<%u>Nov 22 %02u:%02u:%02u %s-%02u ", pri, 6 + d->index / 600 % 12,
	    d->index / 10 % 60, draw(d, 60), draw_place(d), draw(d, 40));
}

static inline void line_sshd(struct buf *out, struct draw *d)
{
	unsigned kind = draw(d, 4);

	line_time_3164(out, d, 38);
	buf_printf(out, "sshd[%u]: %s %s%s from 203.0.113.%u port %u ssh2", 800 + draw(d, 30000),
	    kind == 0 ? "Accepted publickey for" : "Failed password for",
	    kind == 1 ? "invalid user " : "", draw_user(d), draw(d, 250), 1024 + draw(d, 60000));
}

static inline void line_rfc5424(struct buf *out, struct draw *d)
{
	buf_printf(out,
	    "<134>1 2026-11-22T%02u:%02u:%02u.%06uZ %s-%02u.example.vn portal %u REQ%u "
	    "[meta sequenceId=\"%u\" language=\"vi\"][origin@32473 ip=\"192.0.2.%u\" "
	    "software=\"portal\"] "
	    "hồ sơ %u: công dân %s nộp tại xã số %u, mất %u ms",
	    6 + d->index / 600 % 12, d->index / 10 % 60, draw(d, 60), draw(d, 1000000),
	    draw_place(d), draw(d, 40), draw(d, 30000), draw(d, 100), d->index, draw(d, 250),
	    draw(d, 1000000), draw_user(d), draw(d, 160), draw(d, 900));
}

static inline void line_nginx(struct buf *out, struct draw *d)
{
	static const char *const pages[] = {"/", "/tin-tuc/thong-bao", "/dich-vu-cong/nop-ho-so",
	    "/static/app.9f31.js", "/api/v1/ho-so", "/tim-kiem"};

	line_time_3164(out, d, 190);
	buf_printf(out,
	    "nginx: 198.51.100.%u - - [22/Nov/2026:%02u:%02u:%02u +0700] \"GET %s?trang=%u&cap=%s "
	    "HTTP/1.1\" %u %u \"https://dvc.example.vn/\" \"Mozilla/5.0 (X11; Linux x86_64; "
	    "rv:128.0) "
	    "Gecko/20100101 Firefox/128.0\"",
	    draw(d, 250), 6 + d->index / 600 % 12, d->index / 10 % 60, draw(d, 60),
	    pages[draw(d, 6)], draw(d, 90), draw_place(d), draw(d, 12) == 0 ? 404 : 200,
	    draw(d, 90000));
}

/* A process creation as a Windows agent sends it: many fields, and all of it once more as a text.
 */
static inline void line_windows(struct buf *out, struct draw *d)
{
	unsigned pid = 4 * draw(d, 4000), parent = 4 * draw(d, 4000), host = draw(d, 40);
	const char *user = draw_user(d), *place = draw_place(d);
	unsigned number = draw(d, 100000), second = draw(d, 60);
	const char *image = "C:\\\\Program Files\\\\MotCua\\\\bin\\\\scan-helper.exe";
	const char *parent_image = "C:\\\\Windows\\\\System32\\\\svchost.exe";

	buf_printf(out,
	    "{\"EventTime\":\"2026-11-22 08:%02u:%02u\",\"Hostname\":\"%s-ws%02u.example.vn\","
	    "\"Keywords\":-9223372036854775808,\"EventType\":\"INFO\",\"SeverityValue\":2,"
	    "\"Severity\":"
	    "\"INFO\",\"EventID\":1,\"SourceName\":\"Microsoft-Windows-Sysmon\",\"ProviderGuid\":"
	    "\"{5770385F-C22A-43E0-BF4C-06F5698FFBD9}\",\"Version\":5,\"Task\":1,\"OpcodeValue\":0,"
	    "\"RecordNumber\":%u,\"ExecutionProcessID\":2984,\"ExecutionThreadID\":4012,"
	    "\"Channel\":"
	    "\"Microsoft-Windows-Sysmon/Operational\",\"Domain\":\"NT AUTHORITY\",\"AccountName\":"
	    "\"SYSTEM\",\"UserID\":\"S-1-5-18\",\"AccountType\":\"User\",",
	    d->index / 10 % 60, second, place, host, number);
	buf_printf(out,
	    "\"Message\":\"Process Create:\\r\\nRuleName: -\\r\\nUtcTime: 2026-11-22 "
	    "01:%02u:%02u.120"
	    "\\r\\nProcessGuid: {a41c77b0-6d2e-6921-%04x-000000000700}\\r\\nProcessId: "
	    "%u\\r\\nImage: %s"
	    "\\r\\nFileVersion: 4.2.1.0\\r\\nDescription: Scan helper\\r\\nProduct: Mot "
	    "Cua\\r\\nCompany: "
	    "Example Software\\r\\nOriginalFileName: scan-helper.exe\\r\\nCommandLine: \\\"%s\\\" "
	    "--job "
	    "%u --queue %s --user %s\\r\\nCurrentDirectory: C:\\\\Users\\\\%s\\\\\\r\\nUser: "
	    "EXAMPLE"
	    "\\\\%s\\r\\nIntegrityLevel: Medium\\r\\nParentProcessId: %u\\r\\nParentImage: %s\\r\\n"
	    "ParentCommandLine: C:\\\\Windows\\\\System32\\\\svchost.exe -k netsvcs -p -s "
	    "Schedule\","
	    "\"Category\":\"Process Create (rule: ProcessCreate)\",\"Opcode\":\"Info\",",
	    d->index / 10 % 60, second, number & 0xffff, pid, image, image, number, place, user,
	    user, user, parent, parent_image);
	buf_printf(out,
	    "\"RuleName\":\"-\",\"UtcTime\":\"2026-11-22 01:%02u:%02u.120\",\"ProcessGuid\":"
	    "\"{a41c77b0-6d2e-6921-%04x-000000000700}\",\"ProcessId\":\"%u\",\"Image\":\"%s\","
	    "\"FileVersion\":\"4.2.1.0\",\"Description\":\"Scan helper\",\"Product\":\"Mot Cua\","
	    "\"Company\":\"Example "
	    "Software\",\"OriginalFileName\":\"scan-helper.exe\",\"CommandLine\":"
	    "\"\\\"%s\\\" --job %u --queue %s --user "
	    "%s\",\"CurrentDirectory\":\"C:\\\\Users\\\\%s\\\\\","
	    "\"User\":\"EXAMPLE\\\\%s\",\"LogonGuid\":\"{a41c77b0-1111-6921-e703-000000000000}\","
	    "\"LogonId\":\"0x3e7%04x\",\"TerminalSessionId\":\"1\",\"IntegrityLevel\":\"Medium\",",
	    d->index / 10 % 60, second, number & 0xffff, pid, image, image, number, place, user,
	    user, user, number & 0xffff);
	buf_printf(out,
	    "\"Hashes\":\"SHA1=%08x%032x,MD5=%032x,SHA256=%064x,IMPHASH=%032x\","
	    "\"ParentProcessGuid\":"
	    "\"{a41c77b0-6d00-6921-1200-000000000700}\",\"ParentProcessId\":\"%u\",\"ParentImage\":"
	    "\"%s\","
	    "\"ParentCommandLine\":\"C:\\\\Windows\\\\System32\\\\svchost.exe -k netsvcs -p -s "
	    "Schedule\","
	    "\"ParentUser\":\"NT AUTHORITY\\\\SYSTEM\",\"EventReceivedTime\":\"2026-11-22 "
	    "08:%02u:%02u\","
	    "\"SourceModuleName\":\"eventlog\",\"SourceModuleType\":\"im_msvistalog\"}",
	    number, number, number, number, number, parent, parent_image, d->index / 10 % 60,
	    second);
}

static inline void line_cef(struct buf *out, struct draw *d)
{
	line_time_3164(out, d, 134);
	buf_printf(out,
	    "CEF:0|Example|Gateway|7.1|%u|Connection blocked by policy|%u|rt=Nov 22 2026 "
	    "08:%02u:%02u "
	    "src=192.0.2.%u spt=%u dst=198.51.100.%u dpt=443 proto=TCP act=blocked cat=web "
	    "request=https://%s.example.org/tai-ve/%u?x\\=1 requestMethod=GET cs1Label=policy "
	    "cs1=van phong "
	    "cn1Label=rule cn1=%u in=%u out=%u suser=%s msg=blocked by rule \\| see portal",
	    100 + draw(d, 20), draw(d, 10), d->index / 10 % 60, draw(d, 60), draw(d, 250),
	    1024 + draw(d, 60000), draw(d, 250), draw_place(d), draw(d, 10000), draw(d, 500),
	    draw(d, 90000), draw(d, 90000), draw_user(d));
}

static inline void line_fortigate(struct buf *out, struct draw *d)
{
	buf_printf(out,
	    "<189>date=2026-11-22 time=08:%02u:%02u devname=\"%s-fw\" devid=\"FGT60FTK%08u\" "
	    "eventtime=17953296%09u tz=\"+0700\" logid=\"0000000013\" type=\"traffic\" "
	    "subtype=\"forward\" "
	    "level=\"notice\" vd=\"root\" srcip=192.0.2.%u srcport=%u srcintf=\"lan\" "
	    "srcintfrole=\"lan\" "
	    "dstip=198.51.100.%u dstport=443 dstintf=\"wan1\" dstintfrole=\"wan\" sessionid=%u "
	    "proto=6 "
	    "action=\"%s\" policyid=%u policytype=\"policy\" service=\"HTTPS\" dstcountry=\"Viet "
	    "Nam\" "
	    "srccountry=\"Reserved\" trandisp=\"snat\" transip=203.0.113.9 transport=%u "
	    "duration=%u "
	    "sentbyte=%u rcvdbyte=%u sentpkt=%u rcvdpkt=%u appcat=\"unscanned\" user=\"%s\"",
	    d->index / 10 % 60, draw(d, 60), draw_place(d), draw(d, 90000000), draw(d, 900000000),
	    draw(d, 250), 1024 + draw(d, 60000), draw(d, 250), draw(d, 1000000),
	    draw(d, 9) == 0 ? "deny" : "close", draw(d, 200), 1024 + draw(d, 60000), draw(d, 300),
	    draw(d, 90000), draw(d, 900000), draw(d, 400), draw(d, 400), draw_user(d));
}

static inline void line_auditd(struct buf *out, struct draw *d)
{
	buf_printf(out,
	    "type=SYSCALL msg=audit(17953296%02u.%03u:%u): arch=c000003e syscall=59 success=yes "
	    "exit=0 "
	    "a0=55d0c1a3%04x a1=55d0c1a4%04x a2=55d0c1a0%04x a3=8 items=2 ppid=%u pid=%u auid=1000 "
	    "uid=0 "
	    "gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts%u ses=%u comm=\"%s\" "
	    "exe=\"/usr/bin/%s\" subj=unconfined key=\"exec\"",
	    draw(d, 100), draw(d, 1000), d->index, draw(d, 65536), draw(d, 65536), draw(d, 65536),
	    draw(d, 30000), draw(d, 30000), draw(d, 9), draw(d, 900), draw(d, 2) ? "tar" : "rsync",
	    draw(d, 2) ? "tar" : "rsync");
}

static inline void line_plain(struct buf *out, struct draw *d)
{
	line_time_3164(out, d, 30);
	buf_printf(out,
	    "dangky-so[%u]: tệp %u của %s đã được chuyển sang máy in tầng %u, còn %u trang",
	    draw(d, 30000), draw(d, 100000), draw_user(d), draw(d, 9), draw(d, 400));
}

/* What a province's collector sees: mostly servers and firewalls, some web and Windows. */
static inline void line_mixed(struct buf *out, struct draw *d)
{
	static line_maker *const makers[] = {line_sshd, line_rfc5424, line_nginx, line_nginx,
	    line_fortigate, line_fortigate, line_fortigate, line_auditd, line_plain, line_plain,
	    line_cef, line_windows};

	makers[draw(d, 12)](out, d);
}

static inline struct lines lines_make(line_maker *maker, size_t count)
{
	struct lines lines = {.arena = arena_new(256u << 20), .count = count};
	struct buf line = BUF(1u << 20);
	struct draw d = {.state = 42};

	CHECK(lines.arena != NULL);
	lines.events = arena_array(lines.arena, count, sizeof(*lines.events));
	CHECK(lines.events != NULL);
	for (size_t i = 0; i < count; i++) {
		d.index = (unsigned)i;
		buf_clear(&line);
		maker(&line, &d);
		CHECK(!line.failed);
		lines.events[i] = bench_event(arena_dup(lines.arena, buf_str(&line)), i);
		lines.bytes += line.len;
	}
	CHECK(!arena_failed(lines.arena));
	buf_free(&line);
	return lines;
}

static inline void lines_free(struct lines *lines)
{
	arena_free(lines->arena);
}

#endif
