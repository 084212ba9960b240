/*
 * Filters, order and pages, compared with a naive filter over all that was stored.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "rig.h"
#include "storage/index.h"

#define ALERTS 9000 /* more than a bucket */

struct item {
	struct hash128 id;
	int64_t time_ns;
	enum level level;
	const char *rule, *title, *title_vi, *host, *user, *address, *second, *agency, *sender,
	    *replay;
};

static const char *const rules[] = {"ssh-brute", "web-shell", "SSH-root", "new-admin"};
static const char *const titles[] = {"SSH brute force", "Web shell", "SSH root login", "New admin"};
static const char *const titles_vi[] = {
    "Dò mật khẩu SSH", "Mã độc web", "Đăng nhập root", "Quản trị mới"};
static const char *const hosts[] = {"web01.example.vn", "WEB02.example.vn", "db01", "mail", ""};
static const char *const users[] = {"root", "Nguyễn", "an", ""};
static const char *const addresses[] = {"192.0.2.1", "192.0.2.77", "2001:db8::1", "198.51.100.9"};
static const char *const agencies[] = {"so-y-te", "so-noi-vu"};
static const char *const senders[] = {"relay1", "relay2", ""};

#define PICK(list, seed) (list)[rig_random(seed) % (sizeof(list) / sizeof(*(list)))]

static struct item items[ALERTS];
static struct query_alert page[ALERTS];

static void item_publish(struct rig *rig, struct item *item, uint64_t i, uint64_t *seed)
{
	unsigned rule = rig_random(seed) % 4;
	struct alert alert;
	struct str list[2];

	*item = (struct item){.rule = rules[rule],
	    .title = titles[rule],
	    .title_vi = titles_vi[rule],
	    .level = (enum level)(rig_random(seed) % 5),
	    .host = PICK(hosts, seed),
	    .user = PICK(users, seed),
	    .address = PICK(addresses, seed),
	    .second = PICK(addresses, seed),
	    .agency = PICK(agencies, seed),
	    .sender = PICK(senders, seed),
	    .replay = rig_random(seed) % 10 == 0 ? "hunt" : ""};
	/* mostly in order, some much older, many at the same moment */
	item->time_ns =
	    RIG_NOW + (int64_t)(i / 3) * RIG_S -
	    (rig_random(seed) % 50 == 0 ? (int64_t)(rig_random(seed) % 5000) * RIG_S : 0);
	alert = rig_alert(rig, item->rule, item->host, item->time_ns, i);
	alert.rule.title = str_of(item->title);
	alert.rule.title_vi = str_of(item->title_vi);
	alert.rule.level = item->level;
	alert.user = str_of(item->user);
	list[0] = str_of(item->address);
	list[1] = str_of(item->second);
	alert.addresses = list;
	alert.address_count = 2;
	alert.agency = str_of(item->agency);
	alert.sender = str_of(item->sender);
	alert.replay = str_of(item->replay);
	item->id = alert.id;
	rig_publish(rig, &alert);
}

/* By definition; '?' takes one code point. */
static bool plain_match(const char *pattern, const char *text)
{
	if (*pattern == '\0')
		return *text == '\0';
	if (*pattern == '*')
		return plain_match(pattern + 1, text) ||
		       (*text != '\0' && plain_match(pattern, text + 1));
	if (*text == '\0')
		return false;
	if (*pattern == '?') {
		do
			text++;
		while (((unsigned char)*text & 0xc0) == 0x80);
		return plain_match(pattern + 1, text);
	}
	return *pattern == *text && plain_match(pattern + 1, text + 1);
}

static bool text_matches(struct str term, const char *value)
{
	struct buf pattern = BUF(4096), text = BUF(4096);
	bool matches;

	if (value[0] == '\0')
		return false;
	utf8_fold_put(&pattern, term);
	utf8_fold_put(&text, str_of(value));
	buf_char(&pattern, '\0');
	buf_char(&text, '\0');
	matches = plain_match(pattern.ptr, text.ptr);
	buf_free(&pattern);
	buf_free(&text);
	return matches;
}

static bool list_matches(
    const struct str *terms, size_t count, const char *a, const char *b, const char *c)
{
	for (size_t i = 0; i < count; i++)
		if (text_matches(terms[i], a) || text_matches(terms[i], b) ||
		    text_matches(terms[i], c))
			return true;
	return count == 0;
}

static bool naive(const struct query_filter *f, const struct item *item)
{
	return item->time_ns >= f->since_ns && item->time_ns < f->until_ns &&
	       item->level >= f->level_min && item->level <= f->level_max &&
	       str_eq(f->replay, str_of(item->replay)) &&
	       list_matches(f->rules, f->rule_count, item->rule, item->title, item->title_vi) &&
	       list_matches(f->hosts, f->host_count, item->host, "", "") &&
	       list_matches(f->users, f->user_count, item->user, "", "") &&
	       list_matches(f->addresses, f->address_count, item->address, item->second, "") &&
	       list_matches(f->agencies, f->agency_count, item->agency, "", "") &&
	       list_matches(f->senders, f->sender_count, item->sender, "", "");
}

static int newest_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns > y->time_ns ? -1 : 1;
	if (x->id.high != y->id.high)
		return x->id.high > y->id.high ? -1 : 1;
	return x->id.low > y->id.low ? -1 : 1;
}

static void terms(
    struct str *to, size_t *count, const char *const *list, size_t list_count, uint64_t *seed)
{
	*count = rig_random(seed) % 4 == 0 ? 1 + rig_random(seed) % 2 : 0;
	for (size_t i = 0; i < *count; i++)
		to[i] = str_of(list[rig_random(seed) % list_count]);
}

static struct query_filter random_filter(uint64_t *seed)
{
	static const char *const rule_terms[] = {"ssh-brute", "SSH*", "ssh-ROOT", "web shell",
	    "*mật khẩu*", "*", "none", "DÒ MẬT KHẨU SSH", "?eb*"};
	static const char *const host_terms[] = {
	    "web01.example.vn", "web0?.*", "DB01", "m*l", "x", "*1"};
	static const char *const user_terms[] = {"root", "nguyễn", "Nguy?n", "a*"};
	static const char *const address_terms[] = {"192.0.2.1", "192.0.2.*", "2001:DB8::1"};
	static const char *const agency_terms[] = {"so-y-te", "so-*"};
	static const char *const sender_terms[] = {"relay1", "relay?"};
	struct query_filter f = rig_filter();

	terms(f.rules, &f.rule_count, rule_terms, 9, seed);
	terms(f.hosts, &f.host_count, host_terms, 6, seed);
	terms(f.users, &f.user_count, user_terms, 4, seed);
	terms(f.addresses, &f.address_count, address_terms, 3, seed);
	terms(f.agencies, &f.agency_count, agency_terms, 2, seed);
	terms(f.senders, &f.sender_count, sender_terms, 2, seed);
	if (rig_random(seed) % 3 == 0)
		f.level_min = (enum level)(rig_random(seed) % 5);
	if (rig_random(seed) % 5 == 0)
		f.level_max = (enum level)(rig_random(seed) % 5);
	if (rig_random(seed) % 3 == 0)
		f.since_ns = RIG_NOW + rig_random(seed) % 3000 * RIG_S;
	if (rig_random(seed) % 3 == 0)
		f.until_ns = RIG_NOW + rig_random(seed) % 3000 * RIG_S;
	if (rig_random(seed) % 6 == 0)
		f.replay = STR("hunt");
	return f;
}

/* Page by page until nothing comes; every page continues exactly where the last one ended. */
static size_t read_pages(struct rig *rig, struct query_filter filter, size_t limit)
{
	size_t count = 0, n;

	filter.limit = limit;
	do {
		n = rig_list(
		    rig, &filter, page + count, limit < ALERTS - count ? limit : ALERTS - count);
		count += n;
		if (count > 0)
			filter.after = page[count - 1].cursor;
	} while (n == limit && count < ALERTS);
	return count;
}

static void compare(struct rig *rig, const struct query_filter *filter, size_t limit)
{
	size_t count = read_pages(rig, *filter, limit), at = 0;

	for (size_t i = 0; i < ALERTS; i++) {
		if (!naive(filter, &items[i]))
			continue;
		assert_true(at < count);
		assert_true(hash128_eq(items[i].id, page[at].alert.id));
		at++;
	}
	assert_int_equal(at, count);
}

static void test_filters_against_naive(void **state)
{
	uint64_t seed = 3;
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 2);
	rig.options.batch = 1000;
	rig_store_open(&rig);
	for (uint64_t i = 0; i < ALERTS; i++) {
		item_publish(&rig, &items[i], i, &seed);
		if (i == ALERTS - 500) {
			rig_settle(&rig);
			rig.now_ns += 86400 * RIG_S;
		}
	}
	rig_settle(&rig);
	qsort(items, ALERTS, sizeof(*items), newest_first);
	for (int round = 0; round < 50; round++) {
		struct query_filter filter = random_filter(&seed);
		static const size_t limits[] = {10000, 10000, 700, 97};

		/* small pages only where few come: each page is a process */
		arena_reset(rig.arena);
		compare(&rig, &filter,
		    filter.host_count + filter.user_count < 2 ? 10000 : limits[round % 4]);
	}
	rig_close(&rig);
}

static void test_wildcards(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
	    {"", "", true},
	    {"*", "", true},
	    {"?", "", false},
	    {"?", "é", true},
	    {"??", "é", false},
	    {"a*b", "ab", true},
	    {"a*b", "axxb", true},
	    {"a*b", "axxbc", false},
	    {"*b*", "abc", true},
	    {"a**c", "abc", true},
	    {"*aab", "aaaab", true},
	    {"*a*a*a", "aa", false},
	    {"a", "b", false},
	    {"[a]", "a", false},
	    {"\\*", "*", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(
		    index_match(str_of(rows[i].pattern), str_of(rows[i].text)), rows[i].matches);
}

static void test_cursor_is_checked(void **state)
{
	static const char *const bad[] = {
	    "x", "0123", "zz00000000000000000000000000000000000000000000zz"};
	struct query_filter filter = rig_filter();
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	for (size_t i = 0; i < 3; i++) {
		filter.after = str_of(bad[i]);
		assert_int_equal(
		    query_alerts(rig.query, &filter, rig.arena, NULL, NULL, NULL, NULL), ERR_USAGE);
	}
	rig_close(&rig);
}

static void test_ambiguous_prefix(void **state)
{
	struct query_alert one;
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig_store_open(&rig);
	for (uint64_t i = 0; i < 3; i++) {
		struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW, i);

		alert.id = (struct hash128){UINT64_C(0xabcd000000000000) + i / 2, i};
		rig_publish(&rig, &alert);
	}
	rig_settle(&rig);
	assert_int_equal(query_alert(rig.query, STR("abcd"), rig.arena, &one, NULL), ERR_USAGE);
	assert_int_equal(query_alert(rig.query, STR("abcd000000000001"), rig.arena, &one, NULL), 0);
	assert_int_equal(one.alert.id.low, 2);
	assert_int_equal(
	    query_alert(rig.query, STR("ABCD0000000000000000000000000001"), rig.arena, &one, NULL),
	    0);
	assert_int_equal(one.alert.id.low, 1);
	rig_close(&rig);
}

/*
 * Another process reads page after page while this one writes: every answer is whole and in order.
 */
static void test_reader_beside_the_writer(void **state)
{
	struct query_filter filter = rig_filter();
	struct rig rig;
	int status;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig.options.batch = 20;
	rig.options.day_bytes = 1u << 20;
	pid_t pid = fork();

	if (pid == 0) {
		size_t last = 0;

		alarm(60);
		while (last < 2000) {
			arena_reset(rig.arena);
			size_t count = rig_list(&rig, &filter, page, ALERTS);

			if (count < last || rig_damaged(&rig) != 0)
				_exit(1);
			for (size_t i = 1; i < count; i++)
				if (page[i].alert.time_ns >= page[i - 1].alert.time_ns)
					_exit(2);
			last = count;
		}
		_exit(0);
	}
	rig_store_open(&rig);
	for (uint64_t i = 0; i < 2000; i++) {
		struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW + (int64_t)i, i);

		rig_publish(&rig, &alert);
		if (i % 10 == 9)
			assert_true(store_step(rig.store, rig.now_ns, 0, NULL) >= 0);
	}
	rig_settle(&rig);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_filters_against_naive),
	    cmocka_unit_test(test_wildcards),
	    cmocka_unit_test(test_cursor_is_checked),
	    cmocka_unit_test(test_ambiguous_prefix),
	    cmocka_unit_test(test_reader_beside_the_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
