#include "collector/quota.h"

#include "base/clock.h"

#define MILLI 1000

/* At most rate * burst, which is at least what comes in a millisecond, and one event. */
static int64_t ceiling(uint64_t rate, int64_t burst_ns, int64_t scale)
{
	double most = (double)rate * (double)scale * ((double)burst_ns / (double)NS_PER_S);

	return most < (double)scale ? scale : most > 9e17 ? INT64_C(900000000000000000)
							  : (int64_t)most;
}

static void fill(int64_t *left, uint64_t rate, int64_t burst_ns, int64_t scale, int64_t passed_ns)
{
	int64_t most = ceiling(rate, burst_ns, scale);
	double now = (double)*left +
		     (double)rate * (double)scale * ((double)passed_ns / (double)NS_PER_S);

	*left = now >= (double)most ? most : (int64_t)now;
}

static void bucket_fill(struct bucket *bucket, const struct quota *quota, int64_t now_ns)
{
	int64_t passed_ns = now_ns - bucket->at_ns;

	if (bucket->at_ns == 0) {
		bucket->events = ceiling(quota->events, quota->burst_ns, MILLI);
		bucket->bytes = ceiling(quota->bytes, quota->burst_ns, 1);
	} else if (passed_ns > 0 && passed_ns < NS_PER_MS) {
		/* What a shorter time brings may be less than one; it is brought later. */
		return;
	} else if (passed_ns > 0) {
		fill(&bucket->events, quota->events, quota->burst_ns, MILLI, passed_ns);
		fill(&bucket->bytes, quota->bytes, quota->burst_ns, 1, passed_ns);
	}
	bucket->at_ns = now_ns;
}

void quota_take(struct bucket *bucket, const struct quota *quota, uint64_t bytes, int64_t now_ns)
{
	if (quota->events == 0 && quota->bytes == 0)
		return;
	bucket_fill(bucket, quota, now_ns);
	bucket->events -= quota->events == 0 ? 0 : MILLI;
	bucket->bytes -= quota->bytes == 0 ? 0 : (int64_t)bytes;
}

static int64_t time_until(int64_t left, uint64_t rate, int64_t scale)
{
	if (rate == 0 || left > 0)
		return 0;
	return NS_PER_MS + (int64_t)((double)-left / (double)scale / (double)rate *
		(double)NS_PER_S);
}

int64_t quota_wait(struct bucket *bucket, const struct quota *quota, int64_t now_ns)
{
	if (quota->events == 0 && quota->bytes == 0)
		return 0;
	bucket_fill(bucket, quota, now_ns);
	int64_t events_ns = time_until(bucket->events, quota->events, MILLI);
	int64_t bytes_ns = time_until(bucket->bytes, quota->bytes, 1);

	return events_ns > bytes_ns ? events_ns : bytes_ns;
}
