#include "collector/answers.h"

#include <stdlib.h>

void answers_begin(struct answers *answers, struct stream *stream,
    void (*give)(struct stream *stream, const struct answer *answer))
{
	*answers = (struct answers){.stream = stream, .give = give};
}

static void answer_free(struct answer *answer)
{
	buf_free(&answer->note);
	free(answer);
}

/* Those that are due, up to the first that is not. give may not add any. */
static void give_due(struct answers *answers)
{
	if (answers->giving)
		return;
	answers->giving = true;
	while (answers->first != NULL && answers->first->due) {
		struct answer *answer = answers->first;

		answers->first = answer->next;
		if (answers->first == NULL)
			answers->last = NULL;
		answers->count--;
		answers->give(answers->stream, answer);
		answer_free(answer);
	}
	answers->giving = false;
}

static void ticket_is_done(void *context, bool durable)
{
	struct answer *answer = context;

	answer->ticket = NULL;
	answer->due = true;
	answer->durable = durable;
	give_due(answer->answers);
}

struct answer *answer_new(struct answers *answers, size_t note_max)
{
	struct answer *answer = calloc(1, sizeof(*answer));

	if (answer == NULL)
		return NULL;
	answer->answers = answers;
	answer->note = BUF(note_max);
	answer->ticket = ticket_new(ticket_is_done, answer);
	if (answer->ticket == NULL) {
		free(answer);
		return NULL;
	}
	if (answers->last != NULL)
		answers->last->next = answer;
	else
		answers->first = answer;
	answers->last = answer;
	answers->count++;
	return answer;
}

void answer_settle(struct answer *answer)
{
	answer->settled = true;
	ticket_release(answer->ticket, true);
}

void answers_end(struct answers *answers)
{
	while (answers->first != NULL) {
		struct answer *answer = answers->first;

		answers->first = answer->next;
		ticket_cancel(answer->ticket);
		if (!answer->settled)
			ticket_release(answer->ticket, true);
		answer_free(answer);
	}
	answers->last = NULL;
	answers->count = 0;
}
