/*
 * mark.h - what changes about a stored alert: status, fold, counts, evidence.
 */
#ifndef TOCSIN_STORAGE_MARK_H
#define TOCSIN_STORAGE_MARK_H

#include "event/alert.h"

enum mark_flag {
	MARK_FOLDED = 1u << 0,	/* counted in another alert, which stands for it */
	MARK_REPLACED = 1u << 1 /* was shown, and another stands for it now */
};

struct mark {
	int64_t time_ns;
	struct hash128 id, other; /* other: what stands for it */
	uint64_t status, flags;	  /* enum alert_status, enum mark_flag */
	uint64_t count, folded;	  /* events, matches: itself and what folded into it */
	int64_t first_ns, last_ns;
	uint64_t replay;	     /* hash of the replay's name; 0 live */
	uint64_t kept, missing, cut; /* evidence */
};

#endif
