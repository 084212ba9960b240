#include "collector/stream.h"

#include "base/check.h"
#include "base/clock.h"
#include "collector/stream_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (64u << 10)
#define ROUNDS     4

#define SHARE_WAIT_NS (5 * NS_PER_MS)
#define WAIT_MOST_NS  NS_PER_S /* so that a new quota is soon looked at */

/* ---- what an input sees ---- */

void *stream_state(struct stream *stream)
{
	return stream->state;
}

const void *stream_state_of(const struct stream *stream)
{
	return stream->state;
}

void *stream_shared(const struct stream *stream)
{
	return stream->input->shared;
}

struct intake *stream_intake(const struct stream *stream)
{
	return stream->input->intake;
}

struct ledger_row *stream_row(const struct stream *stream)
{
	return stream->row;
}

struct str stream_peer(const struct stream *stream)
{
	return stream->peer;
}

/* Where it is counted. */
static bool stream_move(struct stream *stream, struct ledger_row *row)
{
	const char *input = stream->input->kind->name;

	stream->identified = true;
	if (row != stream->row) {
		stream->row->connections--;
		row->connections++;
		stream->row = row;
	}
	if (identity_allows(row->identity, input) && (!row->barred || row->shared))
		return true;
	row->counts.barred_connections++;
	return false;
}

static struct ledger_row *row_known(struct stream *stream, const struct identity_of *identity)
{
	return ledger_known(stream->input->intake->ledger, stream->input->kind->name,
	    (struct sockaddr *)&stream->from, identity);
}

bool stream_identify(struct stream *stream, const struct identity_of *identity)
{
	return stream_move(stream, identity == NULL ? stream->own : row_known(stream, identity));
}

bool stream_certify(struct stream *stream, const struct identity_of *identity)
{
	if (identity != NULL)
		stream->own = row_known(stream, identity);
	return stream_move(stream, stream->own);
}

void stream_progress(struct stream *stream)
{
	stream->frame_ns = stream->input->intake->now_ns;
}

void stream_event(struct stream *stream, struct str raw, bool cut, struct ticket *ticket)
{
	const struct input *input = stream->input;

	intake_event(input->intake, stream->row, input->kind->name, input->transport,
	    stream->peer, raw, cut, ticket);
	stream_progress(stream);
}

/* ---- one connection ---- */

static bool stream_owes(const struct stream *stream)
{
	const struct stream_kind *kind = stream->input->kind;

	return stream->out_at < stream->out.len || wire_unsent(&stream->wire) ||
	    (kind->owes != NULL && stream->opened && kind->owes(stream));
}

/* Nothing more is to be read, since the bus is behind. */
static bool stream_is_behind(const struct stream *stream)
{
	const struct input *input = stream->input;

	return !input->kind->reads_on && packer_is_behind(input->intake->packer);
}

void stream_watch(struct stream *stream)
{
	bool paused = stream->input->paused && !stream->input->kind->reads_on;
	bool reads = !stream->opened ||
	    (!paused && !stream->held && !stream->ended && !stream->waits);
	/* Can be written to, so that the loop calls: to be closed, or to be looked at again. */
	bool called = stream->broken || (stream->ended && !stream_owes(stream)) ||
	    (stream->rested && !stream->held && !stream->waits) ||
	    (reads && stream->opened && stream->wire.tls != NULL && stream->wire.more);
	bool writes = stream->out_at < stream->out.len || wire_unsent(&stream->wire) || called;

	watch_set(stream->watch, (reads ? WATCH_READ : 0u) | (writes ? WATCH_WRITE : 0u), NULL);
}

static void wait_end(struct stream *stream)
{
	struct stream **at = &stream->input->intake->waiting;

	if (!stream->waits)
		return;
	while (*at != stream)
		at = &(*at)->wait_next;
	*at = stream->wait_next;
	stream->waits = false;
}

void stream_close(struct stream *stream)
{
	struct input *input = stream->input;

	wait_end(stream);
	if (input->kind->end != NULL && stream->opened)
		input->kind->end(stream);
	input->opening -= !stream->opened;
	if (stream->previous != NULL)
		stream->previous->next = stream->next;
	else
		input->streams = stream->next;
	if (stream->next != NULL)
		stream->next->previous = stream->previous;
	input->stream_count--;
	stream->row->connections--;
	watch_remove(stream->watch);
	wire_close(&stream->wire);
	buf_free(&stream->out);
	free(stream->partial);
	free(stream);
}

/* What the socket takes; the rest stays. */
static void stream_flush(struct stream *stream)
{
	if (wire_unsent(&stream->wire) && !tls_flush(stream->wire.tls))
		stream->broken = true;
	while (stream->out_at < stream->out.len && !stream->broken) {
		ssize_t n = wire_write(&stream->wire, stream->out.ptr + stream->out_at,
		    stream->out.len - stream->out_at);

		if (n > 0)
			stream->out_at += (size_t)n;
		else if (errno == EAGAIN || errno == EINTR)
			return;
		else
			stream->broken = true;
	}
	buf_clear(&stream->out);
	stream->out_at = 0;
}

bool stream_write(struct stream *stream, struct str bytes)
{
	if (stream->broken)
		return false;
	buf_str_put(&stream->out, bytes);
	if (stream->out.failed)
		stream->broken = true;
	else
		stream_flush(stream);
	stream_watch(stream);
	return !stream->broken;
}

void stream_hold(struct stream *stream, bool held)
{
	if (stream->held == held)
		return;
	stream->held = held;
	stream_watch(stream);
}

void stream_finish(struct stream *stream)
{
	stream->ended = true;
	stream_watch(stream);
}

/* Keeps what is left of a message. */
static bool keep_partial(struct stream *stream, struct str rest)
{
	if (rest.len > stream->input->kind->partial_max)
		return false;
	if (rest.len > stream->partial_capacity) {
		size_t capacity = rest.len < 512 ? 512 : rest.len * 2;
		char *grown = malloc(capacity);

		if (grown == NULL)
			return false;
		free(stream->partial);
		stream->partial = grown;
		stream->partial_capacity = capacity;
	}
	if (rest.len > 0)
		memcpy(stream->partial, rest.ptr, rest.len);
	stream->partial_len = rest.len;
	if (rest.len == 0 && stream->partial_capacity > 4096) {
		free(stream->partial);
		stream->partial = NULL;
		stream->partial_capacity = 0;
	}
	return true;
}

/* Hands what is there to the input, and keeps what it leaves. */
static void stream_offer(struct stream *stream, struct str bytes, bool end)
{
	bool goes_on = stream->input->kind->take(stream, &bytes, end);

	stream->rested = stream->held && bytes.len > 0;
	if (end || !goes_on || stream->ended) {
		stream->partial_len = 0;
		stream_finish(stream);
	} else if (!keep_partial(stream, bytes)) {
		stream->row->counts.bad_frames++;
		stream->broken = true;
	}
}

/* It has ended; was that its will? */
static void tell_end(struct stream *stream)
{
	if (stream->wire.tls == NULL || tls_ended(stream->wire.tls) == TLS_CLOSED)
		return;
	stream->row->counts.tls_truncated++;
	door_tell(stream->input->intake, stream->row, TEXT_collector_tls_truncated, stream->peer,
	    NULL);
}

/* One read behind the part that is there, in the shared memory. *more: there may be more. */
static void stream_read(struct stream *stream, bool *more)
{
	struct intake *intake = stream->input->intake;
	size_t before = stream->partial_len;

	if (before > 0)
		memcpy(intake->scratch, stream->partial, before);
	ssize_t n = wire_read(&stream->wire, intake->scratch + before,
	    stream->wire.tls != NULL ? TLS_ROOM : READ_BYTES);

	*more = stream->wire.more;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	stream->active_ns = intake_now(intake);
	if (before == 0)
		stream->frame_ns = stream->active_ns;
	/* The end, or a reset: what came of the last message may be one still. */
	if (n < 0)
		stream->broken = true;
	if (n <= 0)
		tell_end(stream);
	stream_offer(stream, str_from(intake->scratch, before + (size_t)(n > 0 ? n : 0)), n <= 0);
}

/* How long its sender has to wait; 0: it may go on. */
static int64_t stream_wait(const struct stream *stream)
{
	const struct intake *intake = stream->input->intake;
	int64_t wait_ns = quota_wait(
	    ledger_bucket(stream->row), &stream->row->identity->quota, intake->now_ns);

	/* Behind for all, its input is paused. */
	if (wait_ns == 0 && !packer_is_behind(intake->packer) &&
	    packer_is_behind_for(intake->packer, stream->row))
		wait_ns = SHARE_WAIT_NS;
	return wait_ns > WAIT_MOST_NS ? WAIT_MOST_NS : wait_ns;
}

/* True: it is not read until streams_wake. */
static bool stream_waits(struct stream *stream)
{
	struct intake *intake = stream->input->intake;
	int64_t wait_ns = stream->waits ? 0 : stream_wait(stream);

	if (wait_ns > 0) {
		stream->waits = true;
		stream->wait_next = intake->waiting;
		intake->waiting = stream;
		stream->row->counts.waits++;
		if (intake->wake_ns == 0 || intake->now_ns + wait_ns < intake->wake_ns)
			intake->wake_ns = intake->now_ns + wait_ns;
		stream_watch(stream);
	}
	return stream->waits;
}

void streams_wake(struct intake *intake)
{
	struct stream **at = &intake->waiting;
	int64_t next_ns = 0;

	while (*at != NULL) {
		struct stream *stream = *at;
		int64_t wait_ns = stream_wait(stream);

		if (wait_ns > 0) {
			next_ns = next_ns == 0 || wait_ns < next_ns ? wait_ns : next_ns;
			at = &stream->wait_next;
			continue;
		}
		*at = stream->wait_next;
		stream->waits = false;
		/* It was not its fault that nothing came. */
		stream->active_ns = stream->frame_ns = intake->now_ns;
		stream_watch(stream);
	}
	intake->wake_ns = intake->waiting == NULL ? 0 : intake->now_ns + next_ns;
}

/* Messages that came behind the one that was held for. */
static void stream_resume(struct stream *stream)
{
	struct intake *intake = stream->input->intake;

	stream->rested = false;
	memcpy(intake->scratch, stream->partial, stream->partial_len);
	stream_offer(stream, str_from(intake->scratch, stream->partial_len), false);
	stream_watch(stream);
}

/* False: closed. */
bool stream_settle(struct stream *stream)
{
	if (!stream->broken && !(stream->ended && !stream_owes(stream)))
		return true;
	stream_close(stream);
	return false;
}

void stream_ready(void *context, unsigned ready)
{
	struct stream *stream = context;
	bool more = true;

	if (!stream->opened && !stream_goes_on(stream))
		return;
	if ((ready & WATCH_WRITE) != 0 || stream->out_at < stream->out.len) {
		stream_flush(stream);
		stream_watch(stream);
	}
	/* A peer that is gone while nothing is read. */
	if ((ready & WATCH_HANGUP) != 0 && (stream->ended || stream->held))
		stream->broken = true;
	for (int round = 0; round < ROUNDS && more; round++) {
		if (stream->ended || stream->held || stream->broken ||
		    stream_is_behind(stream) || stream_waits(stream))
			break;
		if (stream->rested)
			stream_resume(stream);
		else
			stream_read(stream, &more);
	}
	/* What TLS still has inside does not wake the loop by itself. */
	if (stream_settle(stream) && stream->wire.tls != NULL)
		stream_watch(stream);
}

/* Nothing more will be read: what is there is what there is. */
void stream_end(struct stream *stream)
{
	struct str bytes = {stream->partial, stream->partial_len};

	if (!stream->opened)
		stream->broken = true;
	if (!stream->ended && stream->opened) {
		stream->input->kind->take(stream, &bytes, true);
		stream->partial_len = 0;
		stream_finish(stream);
	}
	stream_settle(stream);
}

void stream_drain(struct stream *stream)
{
	bool more = true;

	for (int round = 0; round < ROUNDS && more; round++) {
		if (!stream->opened || stream->ended || stream->held || stream->broken ||
		    stream_is_behind(stream))
			break;
		if (stream->rested)
			stream_resume(stream);
		else
			stream_read(stream, &more);
	}
	stream_end(stream);
}
