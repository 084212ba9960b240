#include "base/metrics.h"

#include "base/check.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LABEL_LENGTH 48u

struct row {
	const char *name;
	const char *kind;
	const char *label; /* NULL: plain */
	const char *help[2];
};

static const struct row rows[METRIC_COUNT] = {
#define METRIC(symbol, name, kind, english, vietnamese)                                            \
	[METRIC_##symbol] = {name, #kind, NULL, {english, vietnamese}},
#define METRIC_BY(symbol, name, kind, label, english, vietnamese)                                  \
	[METRIC_##symbol] = {name, #kind, label, {english, vietnamese}},
#include "base/metrics.def"
#undef METRIC_BY
#undef METRIC
};

struct slot {
	enum metric metric;
	size_t len;
	char label[LABEL_LENGTH];
	uint64_t value;
};

_Static_assert(METRICS_LABELS > 2 * METRIC_COUNT, "half of the slots are for real labels");

static _Atomic uint64_t values[METRIC_COUNT];
static struct slot slots[METRICS_LABELS];
static size_t slot_count;
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

void metrics_add(enum metric metric, uint64_t n)
{
	CHECK(metric < METRIC_COUNT && rows[metric].label == NULL);
	atomic_fetch_add_explicit(&values[metric], n, memory_order_relaxed);
}

void metrics_set(enum metric metric, uint64_t value)
{
	CHECK(metric < METRIC_COUNT && rows[metric].label == NULL);
	atomic_store_explicit(&values[metric], value, memory_order_relaxed);
}

static struct slot *slot_find(enum metric metric, struct str label)
{
	for (size_t i = 0; i < slot_count; i++) {
		struct slot *slot = &slots[i];

		if (slot->metric == metric && str_eq(str_from(slot->label, slot->len), label))
			return slot;
	}
	return NULL;
}

/*
 * The last slots are kept for "other", one a metric that can have labels, so that a full table
 * still counts everything under its own metric.
 */
static struct slot *slot_take(enum metric metric, struct str label)
{
	struct slot *slot = slot_find(metric, label);

	if (slot != NULL)
		return slot;
	if (slot_count >= METRICS_LABELS - METRIC_COUNT && !str_eq(label, STR("other")))
		return slot_take(metric, STR("other"));
	slot = &slots[slot_count++];
	slot->metric = metric;
	slot->len = label.len;
	memcpy(slot->label, label.ptr, label.len);
	return slot;
}

void metrics_add_by(enum metric metric, struct str label, uint64_t n)
{
	CHECK(metric < METRIC_COUNT && rows[metric].label != NULL);
	label = label.len == 0 ? STR("other") : str_slice(label, 0, LABEL_LENGTH - 1);
	pthread_mutex_lock(&slots_lock);
	slot_take(metric, label)->value += n;
	pthread_mutex_unlock(&slots_lock);
}

uint64_t metrics_get(enum metric metric)
{
	uint64_t sum = 0;

	CHECK(metric < METRIC_COUNT);
	if (rows[metric].label == NULL)
		return atomic_load_explicit(&values[metric], memory_order_relaxed);
	pthread_mutex_lock(&slots_lock);
	for (size_t i = 0; i < slot_count; i++)
		sum += slots[i].metric == metric ? slots[i].value : 0;
	pthread_mutex_unlock(&slots_lock);
	return sum;
}

uint64_t metrics_get_by(enum metric metric, struct str label)
{
	pthread_mutex_lock(&slots_lock);
	const struct slot *slot = slot_find(metric, str_slice(label, 0, LABEL_LENGTH - 1));
	uint64_t value = slot == NULL ? 0 : slot->value;

	pthread_mutex_unlock(&slots_lock);
	return value;
}

void metrics_reset(void)
{
	for (size_t i = 0; i < METRIC_COUNT; i++)
		atomic_store_explicit(&values[i], 0, memory_order_relaxed);
	pthread_mutex_lock(&slots_lock);
	memset(slots, 0, sizeof(slots));
	slot_count = 0;
	pthread_mutex_unlock(&slots_lock);
}

/* The second number of /proc/self/statm: resident pages (proc(5)). */
void metrics_measure(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	uint64_t size, resident;

	if (file == NULL)
		return;
	if (fscanf(file, "%" SCNu64 " %" SCNu64, &size, &resident) == 2)
		metrics_set(METRIC_RESIDENT_BYTES, resident * (uint64_t)sysconf(_SC_PAGESIZE));
	fclose(file);
}

static void put_head(struct buf *out, const struct row *row, enum language language)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help[language], row->name,
	    row->kind);
}

/* Within quotes the format escapes backslash, quote and line feed, and nothing else. */
static void put_label(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, "%s=\"", name);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		if (c == '\n') {
			buf_str_put(out, STR("\\n"));
			continue;
		}
		if (c == '\\' || c == '"')
			buf_char(out, '\\');
		buf_char(out, c);
	}
	buf_char(out, '"');
}

static void put_sample(
    struct buf *out, const struct row *row, struct str stage, struct str label, uint64_t value)
{
	buf_str_put(out, str_of(row->name));
	if (stage.len > 0 || row->label != NULL) {
		buf_char(out, '{');
		if (stage.len > 0)
			put_label(out, "stage", stage);
		if (stage.len > 0 && row->label != NULL)
			buf_char(out, ',');
		if (row->label != NULL)
			put_label(out, row->label, label);
		buf_char(out, '}');
	}
	buf_printf(out, " %" PRIu64 "\n", value);
}

static void put_slots(struct buf *out, enum metric metric, struct str stage)
{
	pthread_mutex_lock(&slots_lock);
	for (size_t i = 0; i < slot_count; i++) {
		const struct slot *slot = &slots[i];

		if (slot->metric == metric)
			put_sample(out, &rows[metric], stage, str_from(slot->label, slot->len),
			    slot->value);
	}
	pthread_mutex_unlock(&slots_lock);
}

void metrics_write(struct buf *out, struct str stage, enum language language)
{
	for (unsigned metric = 0; metric < METRIC_COUNT; metric++) {
		put_head(out, &rows[metric], language);
		if (rows[metric].label == NULL)
			put_sample(out, &rows[metric], stage, STR_NONE, metrics_get(metric));
		else
			put_slots(out, metric, stage);
	}
}

/* A line that begins with the name, and where the name ends there. */
static bool is_sample(struct str line, struct str name)
{
	return str_starts(line, name) && line.len > name.len &&
	       (line.ptr[name.len] == '{' || line.ptr[name.len] == ' ');
}

void metrics_join(struct buf *out, const struct str *texts, size_t count, enum language language)
{
	for (size_t metric = 0; metric < METRIC_COUNT; metric++) {
		struct str name = str_of(rows[metric].name);

		put_head(out, &rows[metric], language);
		for (size_t i = 0; i < count; i++) {
			struct str rest = texts[i], line;

			while (str_cut(&rest, '\n', &line)) {
				if (!is_sample(line, name))
					continue;
				buf_str_put(out, line);
				buf_char(out, '\n');
			}
		}
	}
}
