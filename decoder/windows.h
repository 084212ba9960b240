/*
 * windows.h - Windows' names of fields, channels and events (windows.def), by table.
 */
#ifndef TOCSIN_DECODER_WINDOWS_H
#define TOCSIN_DECODER_WINDOWS_H

#include "decoder/key.h"

/* What a name is among those of Windows events. */
void windows_ask(struct str name, struct key *key);

/* What a field is called besides; rows of one name stand one behind the other. */
struct windows_naming {
	struct str from, name;
	enum field_id id;
};
/* The row at index, where that is one of that name, else NULL; *index is left behind it. */
const struct windows_naming *windows_naming(struct str from, size_t *index);

/* Of a channel: Sysmon for Linux writes such events too. */
struct str windows_product(struct str channel);
/* Of a channel, in any case; empty when it is none of ours. Lives for ever, one text a service. */
struct str windows_service(struct str channel);

struct windows_category {
	struct str name, field, value; /* field empty: always */
};
struct windows_rename {
	struct str name, from;
	enum field_id name_id, from_id;
};

/* What events of one service and id are. */
struct windows_kind {
	struct str service;
	uint32_t event;
	struct windows_category categories[4];
	size_t category_count;
	struct windows_rename renames[4];
	size_t rename_count;
};
/* NULL when nothing is known of such events. service is what windows_service gave. */
const struct windows_kind *windows_kind(struct str service, struct str event);

#endif
