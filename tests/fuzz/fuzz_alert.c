/* fuzz: event - alerts in JSON: what reads is written so that it reads and writes the same */
#include "event/alert.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(1 << 24);
	struct buf first = BUF(1 << 24), second = BUF(1 << 24);
	struct alert alert, again;
	struct error error = {0};

	if (arena != NULL && alert_read(arena, str_from(data, size), &alert, &error) == 0) {
		alert_write(&first, &alert);
		CHECK(alert_read(arena, buf_str(&first), &again, &error) == 0);
		alert_write(&second, &again);
		CHECK(str_eq(buf_str(&first), buf_str(&second)));
		struct hash128 a = alert_make_id((struct hash_key){1, 2}, &alert);
		struct hash128 b = alert_make_id((struct hash_key){1, 2}, &again);

		CHECK(hash128_eq(a, b));
	}
	arena_free(arena);
	buf_free(&first);
	buf_free(&second);
	return 0;
}
