/* bench: correlator
 * What an event costs as rules become more, from raw bytes to exact hits: 100, 1,000, 10,000 and
 * 30,000 rules of our own making, which differ in their literals, over process creations of our own
 * making, one in a hundred of which matches. The figure beside the first is the ratio.
 */
#include "bench/bench.h"

#include "correlator/matcher.h"
#include "decoder/decoder.h"

#define EVENTS 4000u
#define LINE   1024u

struct crowd {
	struct ruleset *ruleset;
	struct matcher *matcher;
	struct arena *arena, *event_arena;
	struct event *events;
};

static const char *const places[] = {"C:\\\\Windows\\\\System32", "C:\\\\Program Files\\\\Lai Chau",
    "C:\\\\Users\\\\lan\\\\AppData\\\\Local", "D:\\\\Congviec\\\\So lieu"};
static const char *const verbs[] = {"sync", "report", "index", "backup", "convert", "upload"};

static struct ruleset *rules_make(unsigned count)
{
	struct ruleset_options options = {.memory = (size_t)1 << 30};
	struct ruleset *ruleset = NULL;
	struct error error = {0};
	char folder[256], path[300];

	bench_folder(folder);
	for (unsigned part = 0; part * 1000 < count; part++) {
		snprintf(path, sizeof(path), "%s/%u.yml", folder, part);
		FILE *out = fopen(path, "w");

		CHECK(out != NULL);
		for (unsigned i = part * 1000; i < count && i < part * 1000 + 1000; i++)
			fprintf(out, "---\ntitle: Rule %u\nid: own-%u\nlogsource: {product: windows, "
			    "category: process_creation}\ndetection:\n  image: {Image|endswith: "
			    "['\\%s%05u.exe', '\\run-%05u.exe']}\n  line: {CommandLine|contains|all: "
			    "['--token=%05x', ' %s ']}\n  other: {CommandLine|contains: ['/q:%05u', "
			    "'stage%05u.ps1', 'drop.example/%05x']}\n  filter: {ParentImage|endswith: "
			    "'\\agent.exe', User|contains: 'service'}\n  condition: (image and line) "
			    "or (other and not filter)\n", i, i, verbs[i % 6], i, i * 3 % 99991,
			    i * 7919 % 1048573, verbs[i % 5], i, i, i * 31 % 1048573);
		CHECK(fclose(out) == 0);
	}
	const char *paths[] = {folder};

	options.paths = paths;
	options.path_count = 1;
	bench_must(ruleset_load(&ruleset, &options, &error), &error);
	CHECK(ruleset_count(ruleset) == count);
	bench_forget(folder);
	return ruleset;
}

/* A process creation as a sender of Sysmon events writes it; one in a hundred is looked for. */
static struct event event_make(struct arena *arena, unsigned i)
{
	char text[LINE];
	int len = snprintf(text, sizeof(text), "{\"EventTime\":\"2026-11-22 06:%02u:%02u\","
	    "\"Hostname\":\"ws-%03u.dienbien.example\",\"EventID\":1,\"Channel\":"
	    "\"Microsoft-Windows-Sysmon/Operational\",\"ProcessId\":%u,"
	    "\"Image\":\"%s\\\\%s-%u.exe\","
	    "\"CommandLine\":\"C:\\\\tool.exe --input records-%u.csv --job %u %s --level 3\","
	    "\"ParentImage\":\"%s\\\\%s.exe\",\"User\":\"DIENBIEN\\\\lan\",\"IntegrityLevel\":"
	    "\"Medium\",\"Hashes\":\"SHA256=%08X%08X%08X%08X%08X%08X%08X%08X\"}",
	    i / 60 % 60, i % 60, i % 500, i * 4, places[i % 4], verbs[i % 6], i % 37, i * 13, i,
	    i % 100 == 0 ? "/q:00042" : "--quiet", places[i % 3], verbs[i % 5], i * 17, i * 31,
	    i * 37, i * 41, i * 43, i * 47, i * 53, i * 59);

	CHECK(len > 0 && len < (int)sizeof(text));
	return bench_event(arena_dup(arena, str_from(text, (size_t)len)), i);
}

static size_t match_all(void *context)
{
	struct crowd *crowd = context;
	const uint32_t *rules;
	struct record record;

	for (size_t i = 0; i < EVENTS; i++) {
		arena_reset(crowd->event_arena);
		decoder_run(&record, &crowd->events[i], crowd->event_arena);
		(void)matcher_run(crowd->matcher, &record, &rules);
	}
	return EVENTS;
}

/* ns an event. */
static double crowd_measure(unsigned count, double first)
{
	struct crowd crowd = {.ruleset = rules_make(count), .arena = arena_new((size_t)64 << 20),
	    .event_arena = arena_new((size_t)1 << 20)};
	struct matcher_stats stats;
	char name[64], extra[256];

	crowd.matcher = matcher_new(crowd.ruleset);
	CHECK(crowd.matcher != NULL && crowd.arena != NULL && crowd.event_arena != NULL);
	crowd.events = arena_array(crowd.arena, EVENTS, sizeof(*crowd.events));
	CHECK(crowd.events != NULL);
	for (unsigned i = 0; i < EVENTS; i++)
		crowd.events[i] = event_make(crowd.arena, i);
	struct bench_figure figure = bench_measure(match_all, &crowd, 5, BENCH_ROUND_NS);

	matcher_stats(crowd.matcher, &stats);
	snprintf(name, sizeof(name), "events and %u rules", count);
	snprintf(extra, sizeof(extra), ",\"to_the_first\":%.2f,\"candidates_per_event\":%.3f,"
	    "\"matches_per_1000\":%.2f,\"table_bytes\":%lu",
	    first > 0 ? figure.median / first : 1.0,
	    (double)stats.candidates / (double)stats.events,
	    (double)stats.matches * 1000 / (double)stats.events, stats.table_bytes);
	bench_print(name, figure, extra);
	arena_free(crowd.arena);
	arena_free(crowd.event_arena);
	matcher_free(crowd.matcher);
	ruleset_free(crowd.ruleset);
	return figure.median;
}

int main(void)
{
	double first = crowd_measure(100, 0);

	crowd_measure(1000, first);
	crowd_measure(10000, first);
	crowd_measure(30000, first);
	return 0;
}
