/*
 * presence.h - senders that became silent, or suddenly loud, and told as events that rules match.
 *
 * Every row of the ledger is looked at once in ten seconds, by the counts that it has anyway. Usual
 * are the rate and the gap between events as moving averages. Silent: nothing for silent_ns of its
 * identity, and for silent_times its usual gap. Loud: for a minute more than loud_times its usual
 * rate and more than ten events a second, once it has been known for ten minutes. Both are told
 * once, and told again as over. What is told is an event of product tocsin, service collector
 * (decoder tocsin), of the sender's agency and system, in the row "(tocsin collector)".
 */
#ifndef TOCSIN_COLLECTOR_PRESENCE_H
#define TOCSIN_COLLECTOR_PRESENCE_H

#include "collector/input.h"
#include "collector/ledger.h"

#define PRESENCE_LOOK_NS    INT64_C(10000000000)
#define PRESENCE_LOUD_LOOKS 6u  /* so long loud */
#define PRESENCE_KNOWN      60u /* looks before anything is too loud */
#define PRESENCE_LOUD_LEAST 10. /* events a second */

enum presence_news { PRESENCE_USUAL, PRESENCE_SILENT, PRESENCE_LOUD, PRESENCE_BACK };

/* Looks at one row; what is new about it, by which counts.silent and counts.loud change. */
enum presence_news presence_look(struct ledger_row *row, int64_t now_ns);
/* About once a second: a part of the rows, and what is new as events counted in own. */
void presence_tick(struct intake *intake, struct ledger_row *own);

#endif
