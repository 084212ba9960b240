#include "event/seen.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define FRAMES 400

/* Frames of one collector over a few partitions; the naive model is a flag for each. */
struct sent {
	struct frame_head head;
	uint32_t partition;
	bool seen;
};

static uint64_t random_state;

static uint32_t dice(uint32_t sides)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % sides;
}

static void send_all(struct sent *sent, size_t count, uint32_t partitions)
{
	uint64_t last[8], next = 0;

	for (size_t i = 0; i < 8; i++)
		last[i] = FRAME_NO_COUNT;
	for (size_t i = 0; i < count; i++) {
		uint32_t partition = dice(partitions), events = 1 + dice(5);

		sent[i] = (struct sent){.partition = partition,
		    .head = {.type = FRAME_EVENTS, .collector = 7, .epoch = 9, .first = next,
			.previous = last[partition], .count = events}};
		next += events;
		last[partition] = next - 1;
	}
}

static void shuffle(struct sent *sent, size_t count, size_t reach)
{
	for (size_t i = 0; i + 1 < count; i++) {
		size_t rest = count - i < reach ? count - i : reach;
		size_t other = i + dice((uint32_t)rest);
		struct sent kept = sent[i];

		sent[i] = sent[other];
		sent[other] = kept;
	}
}

/* Holes as the definition has them: groups of missing frames between seen ones of a partition. */
static uint64_t naive_holes(const struct sent *ordered, size_t count, uint32_t partitions)
{
	uint64_t holes = 0;

	for (uint32_t partition = 0; partition < partitions; partition++) {
		bool begun = false, missing = false;

		for (size_t i = 0; i < count; i++) {
			if (ordered[i].partition != partition)
				continue;
			if (ordered[i].seen) {
				holes += begun && missing;
				begun = true;
				missing = false;
			} else {
				missing = true;
			}
		}
	}
	return holes;
}

static int first_order(const void *a, const void *b)
{
	const struct sent *x = a, *y = b;

	return x->head.first < y->head.first ? -1 : x->head.first > y->head.first;
}

static void save_and_restore(struct seen **seen, uint32_t partitions)
{
	struct seen *other = seen_new();
	struct buf out = BUF(1 << 20);
	struct seen_stats before = seen_stats(*seen), after;

	assert_non_null(other);
	for (uint32_t partition = 0; partition < partitions; partition++) {
		buf_clear(&out);
		seen_save(*seen, partition, &out);
		assert_int_equal(seen_restore(other, partition, buf_str(&out)), 0);
	}
	after = seen_stats(other);
	assert_int_equal(after.sources, before.sources);
	assert_int_equal(after.intervals, before.intervals);
	assert_int_equal(after.holes, before.holes);
	buf_free(&out);
	seen_free(*seen);
	*seen = other;
}

/* Every frame a few times in random order, some never, against the flags. */
static void agrees_with_the_model(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < 60; round++) {
		struct sent sent[FRAMES], ordered[FRAMES];
		struct seen *seen = seen_new();
		uint32_t partitions = 1 + (uint32_t)round % 5;
		uint64_t repeats = 0;

		random_state = round + 1;
		send_all(sent, FRAMES, partitions);
		shuffle(sent, FRAMES, round % 3 == 0 ? 1 : round % 3 == 1 ? 16 : FRAMES);
		for (size_t step = 0; step < FRAMES * 2; step++) {
			struct sent *at = &sent[step < FRAMES ? step : dice(FRAMES)];

			if (step < FRAMES && dice(8) == 0)
				continue;
			int answer = seen_frame(seen, at->partition, &at->head);

			assert_int_equal(answer, at->seen ? SEEN_REPEAT : SEEN_NEW);
			repeats += at->seen;
			at->seen = true;
			if (step % 16 != 0)
				continue;
			memcpy(ordered, sent, sizeof(sent));
			qsort(ordered, FRAMES, sizeof(*ordered), first_order);
			assert_int_equal(seen_stats(seen).holes,
			    naive_holes(ordered, FRAMES, partitions));
			assert_int_equal(seen_stats(seen).repeats, repeats);
			if (step % 64 == 0) {
				save_and_restore(&seen, partitions);
				repeats = 0;
			}
		}
		assert_int_equal(seen_stats(seen).given_up, 0);
		seen_free(seen);
	}
}

static void in_order_is_one_interval(void **state)
{
	struct sent sent[FRAMES];
	struct seen *seen = seen_new();

	(void)state;
	random_state = 5;
	send_all(sent, FRAMES, 4);
	for (size_t i = 0; i < FRAMES; i++)
		assert_int_equal(seen_frame(seen, sent[i].partition, &sent[i].head), SEEN_NEW);
	struct seen_stats stats = seen_stats(seen);

	assert_int_equal(stats.sources, 4);
	assert_int_equal(stats.intervals, 4);
	assert_int_equal(stats.holes, 0);
	seen_free(seen);
}

static struct frame_head one(uint64_t collector, uint64_t epoch, uint64_t counter)
{
	return (struct frame_head){.type = FRAME_EVENTS, .collector = collector, .epoch = epoch,
	    .first = counter, .previous = counter == 0 ? FRAME_NO_COUNT : counter - 1, .count = 1};
}

static void a_tick_shows_a_loss_at_the_end(void **state)
{
	struct seen *seen = seen_new();
	struct frame_head head = one(1, 1, 0), tick = one(1, 1, 6);

	(void)state;
	tick.type = FRAME_TICK;
	tick.count = 0;
	assert_int_equal(seen_frame(seen, 0, &tick), SEEN_NEW);
	assert_int_equal(seen_stats(seen).sources, 0);
	seen_frame(seen, 0, &head);
	assert_int_equal(seen_stats(seen).holes, 0);
	assert_int_equal(seen_frame(seen, 0, &tick), SEEN_NEW);
	assert_int_equal(seen_frame(seen, 0, &tick), SEEN_NEW);
	assert_int_equal(seen_stats(seen).holes, 1);
	save_and_restore(&seen, 1);
	head = one(1, 1, 5);
	head.previous = 0;
	assert_int_equal(seen_frame(seen, 0, &head), SEEN_NEW);
	assert_int_equal(seen_stats(seen).holes, 0);
	seen_free(seen);
}

/* Every second frame is missing: the ceiling joins the lowest, and what comes late is a repeat. */
static void too_many_holes_are_given_up_from_below(void **state)
{
	struct seen *seen = seen_new();
	uint64_t count = SEEN_INTERVALS + 100;

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		struct frame_head head = one(1, 1, i * 2 + 10);

		assert_int_equal(seen_frame(seen, 0, &head), SEEN_NEW);
	}
	struct seen_stats stats = seen_stats(seen);

	assert_int_equal(stats.intervals, SEEN_INTERVALS);
	assert_int_equal(stats.given_up, 100);
	assert_int_equal(stats.holes, SEEN_INTERVALS - 1);
	for (uint64_t i = 0; i + 1 < count; i++) {
		struct frame_head head = one(1, 1, i * 2 + 11);

		assert_int_equal(seen_frame(seen, 0, &head), i < 100 ? SEEN_REPEAT : SEEN_NEW);
	}
	stats = seen_stats(seen);
	assert_int_equal(stats.intervals, 1);
	assert_int_equal(stats.holes, 0);
	seen_free(seen);
}

/* The same at the ceiling, but downwards and in between: never a new frame from a noted place. */
static void the_ceiling_holds_in_any_order(void **state)
{
	(void)state;
	for (uint64_t round = 1; round < 6; round++) {
		struct seen *seen = seen_new();
		static bool noted[10000];

		memset(noted, 0, sizeof(noted));
		random_state = round;
		for (size_t i = 0; i < 20000; i++) {
			uint32_t counter = dice(10000);
			struct frame_head head = one(1, 1, counter);
			int answer = seen_frame(seen, 0, &head);

			if (noted[counter])
				assert_int_equal(answer, SEEN_REPEAT);
			noted[counter] = true;
			assert_true(seen_stats(seen).intervals <= SEEN_INTERVALS);
			assert_int_equal(seen_stats(seen).holes, seen_stats(seen).intervals - 1);
		}
		assert_true(seen_stats(seen).given_up > 0);
		seen_free(seen);
	}
}

#define EPOCHS (UINT64_C(1) << 60)

static void the_oldest_epochs_are_forgotten(void **state)
{
	struct seen *seen = seen_new();

	struct frame_head foreign = one(77, 3, 500);

	(void)state;
	/* A partition of a topic of others is no old epoch, however small its number. */
	assert_int_equal(seen_frame(seen, 2, &foreign), SEEN_NEW);
	for (uint64_t i = 0; i < SEEN_SOURCES + 9; i++) {
		struct frame_head head = one(i * 977, EPOCHS + i, 0);

		assert_int_equal(seen_frame(seen, (uint32_t)i % 4, &head), SEEN_NEW);
	}
	struct seen_stats stats = seen_stats(seen);

	assert_int_equal(stats.evicted, SEEN_SOURCES / 8);
	assert_int_equal(stats.sources, SEEN_SOURCES + 10 - SEEN_SOURCES / 8);
	for (uint64_t i = SEEN_SOURCES / 8; i < SEEN_SOURCES + 9; i++) {
		struct frame_head head = one(i * 977, EPOCHS + i, 0);

		assert_int_equal(seen_frame(seen, (uint32_t)i % 4, &head), SEEN_REPEAT);
	}
	assert_int_equal(seen_frame(seen, 2, &foreign), SEEN_REPEAT);
	seen_forget(seen, 1);
	assert_int_equal(seen_stats(seen).sources, stats.sources - stats.sources / 4);
	for (uint64_t i = SEEN_SOURCES / 8; i < SEEN_SOURCES + 9; i++) {
		struct frame_head head = one(i * 977, EPOCHS + i, 0);

		if (i % 4 != 1)
			assert_int_equal(seen_frame(seen, (uint32_t)i % 4, &head), SEEN_REPEAT);
	}
	seen_free(seen);
}

static void a_broken_checkpoint_is_refused(void **state)
{
	struct seen *seen = seen_new();
	struct buf out = BUF(1 << 20);
	struct frame_head a = one(1, 2, 5), b = one(1, 2, 9), c = one(3, 4, 0);

	(void)state;
	seen_frame(seen, 0, &a);
	seen_frame(seen, 0, &b);
	seen_frame(seen, 0, &c);
	seen_save(seen, 0, &out);
	for (size_t len = 0; len <= out.len; len++) {
		int status = seen_restore(seen, 0, str_from(out.ptr, len));
		uint64_t sources = seen_stats(seen).sources;

		if (len == 0 || status != 0) {
			assert_int_equal(status, ERR_CORRUPT);
			assert_int_equal(sources, 0);
			assert_int_equal(seen_stats(seen).holes, 0);
		}
		/* Cut between two sources it is a shorter record that holds. */
		assert_true(status != 0 || len == 1 || sources > 0);
	}
	assert_int_equal(seen_stats(seen).sources, 2);
	assert_int_equal(seen_stats(seen).holes, 1);
	out.ptr[0] = 2;
	assert_int_equal(seen_restore(seen, 0, buf_str(&out)), ERR_VERSION);
	assert_int_equal(seen_stats(seen).sources, 0);
	buf_free(&out);
	seen_free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_order_is_one_interval),
	    cmocka_unit_test(agrees_with_the_model),
	    cmocka_unit_test(a_tick_shows_a_loss_at_the_end),
	    cmocka_unit_test(too_many_holes_are_given_up_from_below),
	    cmocka_unit_test(the_ceiling_holds_in_any_order),
	    cmocka_unit_test(the_oldest_epochs_are_forgotten),
	    cmocka_unit_test(a_broken_checkpoint_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
