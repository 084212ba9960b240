#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "correlator/sender.h"

struct fixture {
	struct bus *bus;
	struct checkpoint *checkpoint;
	struct sender *sender;
	struct worker_stats stats;
};

static void fixture_open(struct fixture *fixture)
{
	struct bus_options options = {.backend = "memory", .partitions = {1, 1, 1}};

	*fixture = (struct fixture){0};
	assert_int_equal(bus_open(&fixture->bus, &options, NULL), 0);
	assert_int_equal(checkpoint_open(&fixture->checkpoint, NULL, "correlate", NULL), 0);
	fixture->sender = sender_new(fixture->bus, &fixture->stats);
	assert_non_null(fixture->sender);
}

static void fixture_close(struct fixture *fixture)
{
	sender_free(fixture->sender);
	checkpoint_close(fixture->checkpoint);
	bus_close(fixture->bus);
}

static uint64_t row_put(struct fixture *fixture, uint32_t owner, const char *value)
{
	struct outbox_row row = {.owner = owner, .topic = TOPIC_ALERTS, .key = STR("k"),
	    .value = str_of(value)};

	assert_int_equal(checkpoint_begin(fixture->checkpoint, NULL), 0);
	assert_int_equal(checkpoint_outbox_put(fixture->checkpoint, owner, row.topic, 0, row.key,
	    row.value, &row.sequence, NULL), 0);
	assert_int_equal(checkpoint_commit(fixture->checkpoint, NULL), 0);
	assert_true(sender_add(fixture->sender, &row, false));
	return row.sequence;
}

static bool count_row(void *context, const struct outbox_row *row)
{
	(void)row;
	++*(size_t *)context;
	return true;
}

static size_t rows_kept(struct fixture *fixture)
{
	size_t count = 0;

	assert_int_equal(
	    checkpoint_outbox_each(fixture->checkpoint, 0, count_row, &count, NULL), 0);
	return count;
}

static void settle(struct fixture *fixture)
{
	assert_int_equal(checkpoint_begin(fixture->checkpoint, NULL), 0);
	assert_int_equal(sender_settle(fixture->sender, fixture->checkpoint, NULL), 0);
	assert_int_equal(checkpoint_commit(fixture->checkpoint, NULL), 0);
	sender_forget(fixture->sender);
}

static void test_a_row_goes_once_its_receipt_is_there(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	uint64_t first = row_put(&fixture, 1, "one"), second = row_put(&fixture, 2, "two");

	assert_int_equal(sender_waiting(fixture.sender), 2);
	assert_int_equal(sender_lowest(fixture.sender), first);
	settle(&fixture);
	assert_int_equal(rows_kept(&fixture), 2); /* nothing is receipted */
	assert_int_equal(sender_publish(fixture.sender, NULL), 0);
	settle(&fixture);
	assert_int_equal(rows_kept(&fixture), 2);
	assert_int_equal(sender_receipts(fixture.sender, 0, NULL), 2);
	assert_int_equal(sender_waiting(fixture.sender), 0);
	assert_int_equal(sender_lowest(fixture.sender), UINT64_MAX);
	assert_true(sender_has_settled(fixture.sender));
	settle(&fixture);
	assert_int_equal(rows_kept(&fixture), 0);
	assert_false(sender_has_settled(fixture.sender));
	assert_true(second > first);
	assert_int_equal(fixture.stats.resent, 0);
	fixture_close(&fixture);
}

static void test_a_receipt_that_never_comes(void **state)
{
	struct bus_receipt receipts[4];
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	row_put(&fixture, 1, "one");
	assert_int_equal(sender_publish(fixture.sender, NULL), 0);
	/* Somebody swallows it. */
	assert_int_equal(bus_receipts(fixture.bus, receipts, 4, 0, NULL), 1);
	assert_int_equal(sender_receipts(fixture.sender, 0, NULL), 0);
	assert_int_equal(sender_waiting(fixture.sender), 1);
	assert_int_equal(sender_publish(fixture.sender, NULL), 0);
	assert_int_equal(fixture.stats.resent, 1);
	assert_int_equal(sender_receipts(fixture.sender, 0, NULL), 1);
	assert_int_equal(sender_waiting(fixture.sender), 0);
	fixture_close(&fixture);
}

/* What a worker finds in the checkpoint at its start may be on the bus already. */
static void test_a_row_of_a_life_before_is_a_resend(void **state)
{
	struct outbox_row row = {.sequence = 7, .topic = TOPIC_ALERTS, .value = STR("one")};
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_true(sender_add(fixture.sender, &row, true));
	assert_int_equal(fixture.stats.resent, 0);
	assert_int_equal(sender_publish(fixture.sender, NULL), 0);
	assert_int_equal(fixture.stats.resent, 1);
	fixture_close(&fixture);
}

static void test_rows_of_another_owner_are_dropped(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	row_put(&fixture, 1, "one");
	row_put(&fixture, 2, "two");
	row_put(&fixture, 1, "three");
	sender_drop(fixture.sender, 1);
	assert_int_equal(sender_waiting(fixture.sender), 1);
	assert_int_equal(sender_publish(fixture.sender, NULL), 0);
	assert_int_equal(sender_receipts(fixture.sender, 0, NULL), 1);
	settle(&fixture);
	assert_int_equal(rows_kept(&fixture), 2);
	sender_drop(fixture.sender, UINT32_MAX);
	assert_int_equal(sender_waiting(fixture.sender), 0);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_row_goes_once_its_receipt_is_there),
	    cmocka_unit_test(test_a_receipt_that_never_comes),
	    cmocka_unit_test(test_a_row_of_a_life_before_is_a_resend),
	    cmocka_unit_test(test_rows_of_another_owner_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
