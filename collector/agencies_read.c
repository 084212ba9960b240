/*
 * agencies.yml. A system has what its agency has, unless it says otherwise; so the keys of an
 * agency are read before its systems, wherever they stand.
 */
#include "collector/agencies_table.h"

#include "base/clock.h"
#include "base/config_row.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "collector/input.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES  ((size_t)16 << 20)
#define ARENA_BYTES ((size_t)512 << 20)
#define TOKEN_LEAST 8u
#define TOKEN_MOST  4096u
#define NUMBER_MOST 1000000000
#define BURST_NS    (2 * NS_PER_S)

struct reading {
	struct agencies *agencies;
	const char *file;
	struct error *error;
};

typedef int key_reader(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who);

struct key {
	struct str name;
	key_reader *read;
};

static int refuse(const struct reading *reading, const struct yaml_node *node, enum text_id id)
{
	return error_at(reading->error, ERR_DOCUMENT, reading->file, node->line, node->column, id);
}

/* For texts that name what stands there. */
static int refuse_text(const struct reading *reading, const struct yaml_node *node, enum text_id id,
    struct str text)
{
	return error_at(reading->error, ERR_DOCUMENT, reading->file, node->line, node->column, id,
	    STR_ARG(text));
}

static int no_memory(const struct reading *reading)
{
	return error_set(reading->error, ERR_MEMORY, TEXT_base_memory);
}

/* Each key to its reader; expected: how they are told when there is none. */
static int keys_read(struct reading *reading, const struct yaml_node *map, const struct key *keys,
    const char *expected, struct identity_of *who)
{
	int code = 0;

	if (map->kind != YAML_MAP)
		return refuse(reading, map, TEXT_collector_agencies_map);
	for (const struct yaml_node *node = map->first; node != NULL && code == 0;
	     node = node->next) {
		const struct key *key = keys;

		while (key->name.ptr != NULL && !str_eq(key->name, node->key))
			key++;
		if (key->name.ptr == NULL)
			return error_at(reading->error, ERR_DOCUMENT, reading->file, node->key_line,
			    node->key_column, TEXT_collector_agencies_key, STR_ARG(node->key),
			    expected);
		code = key->read == NULL ? 0 : key->read(reading, node, who);
	}
	return code;
}

/* Calls read for a text, or for each of a list of texts. */
static int texts_read(struct reading *reading, const struct yaml_node *node,
    struct identity_of *who, key_reader *read)
{
	const struct yaml_node *item = node->kind == YAML_LIST ? node->first : node;
	size_t count = node->kind == YAML_LIST ? node->count : 1;
	int code = 0;

	for (; code == 0 && count > 0; item = item->next, count--) {
		if (item->kind != YAML_SCALAR || yaml_is_null(item))
			return refuse(reading, item, TEXT_collector_agencies_text);
		code = read(reading, item, who);
	}
	return code;
}

/* ---- what follows from an identity ---- */

static bool is_name(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
			return false;
	return text.len > 0 && text.len <= WHO_BYTES;
}

static int contact_add(struct reading *reading, const struct yaml_node *node,
    struct identity_of *who)
{
	if (!is_name(node->scalar))
		return error_at(reading->error, ERR_DOCUMENT, reading->file, node->line,
		    node->column, TEXT_collector_agencies_name, WHO_BYTES);
	who->contacts = who->contacts.len == 0 ? arena_dup(reading->agencies->arena, node->scalar)
	    : arena_printf(reading->agencies->arena, "%.*s, %.*s", STR_ARG(who->contacts),
		STR_ARG(node->scalar));
	return who->contacts.ptr == NULL ? no_memory(reading) : 0;
}

static int read_contacts(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	who->contacts = STR_NONE;
	return texts_read(reading, node, who, contact_add);
}

static int read_level(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	int64_t level;

	if (!yaml_to_i64(node, &level) || level < 1 || level > 5)
		return refuse(reading, node, TEXT_collector_agencies_level);
	who->level = (unsigned)level;
	return 0;
}

static int read_decoder(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	if (node->kind != YAML_SCALAR || !is_name(node->scalar))
		return error_at(reading->error, ERR_DOCUMENT, reading->file, node->line,
		    node->column, TEXT_collector_agencies_name, WHO_BYTES);
	who->decoder = arena_dup(reading->agencies->arena, node->scalar);
	return who->decoder.ptr == NULL ? no_memory(reading) : 0;
}

/* "+07:00", "-03:30" */
static int read_zone(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	struct str text = node->scalar;
	uint64_t hours, minutes;

	if (node->kind != YAML_SCALAR || text.len != 6 || text.ptr[3] != ':' ||
	    (text.ptr[0] != '+' && text.ptr[0] != '-') ||
	    !str_to_u64(str_slice(text, 1, 3), &hours) ||
	    !str_to_u64(str_slice(text, 4, 6), &minutes) || hours > 18 || minutes > 59)
		return refuse(reading, node, TEXT_collector_agencies_zone);
	who->zone_s = (int32_t)(hours * 3600 + minutes * 60) * (text.ptr[0] == '-' ? -1 : 1);
	who->zone_is_set = true;
	return 0;
}

static int input_add(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	for (size_t i = 0; i < input_count(); i++) {
		if (str_eq(node->scalar, str_of(input_at(i)->name))) {
			who->inputs |= UINT64_C(1) << i;
			return 0;
		}
	}
	return refuse_text(reading, node, TEXT_collector_agencies_inputs, node->scalar);
}

static int read_inputs(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	who->inputs = 0;
	if (node->kind == YAML_SCALAR && str_eq(node->scalar, STR("all")))
		who->inputs = UINT64_MAX;
	else if (node->kind != YAML_SCALAR || !str_eq(node->scalar, STR("none")))
		return texts_read(reading, node, who, input_add);
	return 0;
}

static int number_of(const struct reading *reading, const struct yaml_node *node, int64_t *ret)
{
	if (yaml_to_i64(node, ret) && *ret >= 0 && *ret <= NUMBER_MOST)
		return 0;
	return refuse_text(reading, node, TEXT_collector_agencies_number, node->key);
}

static int unit_of(const struct reading *reading, const struct yaml_node *node,
    enum config_type type, enum text_id id, int64_t *ret)
{
	if (node->kind == YAML_SCALAR && config_unit_parse(type, node->scalar, ret))
		return 0;
	return refuse_text(reading, node, id, node->key);
}

static int read_quota_events(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return number_of(reading, node, (int64_t *)&who->quota.events);
}

static int read_quota_bytes(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return unit_of(reading, node, CONFIG_TYPE_size, TEXT_collector_agencies_size,
	    (int64_t *)&who->quota.bytes);
}

static int read_quota_burst(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return unit_of(reading, node, CONFIG_TYPE_duration, TEXT_collector_agencies_duration,
	    &who->quota.burst_ns);
}

static int read_quota_shared(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	bool shared;

	if (!yaml_to_bool(node, &shared))
		return refuse_text(reading, node, TEXT_collector_agencies_bool, node->key);
	who->bucket =
	    shared ? arena_zalloc(reading->agencies->arena, sizeof(*who->bucket)) : NULL;
	return shared && who->bucket == NULL ? no_memory(reading) : 0;
}

static int read_quota(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	static const struct key keys[] = {{STR_INIT("events"), read_quota_events},
	    {STR_INIT("bytes"), read_quota_bytes}, {STR_INIT("burst"), read_quota_burst},
	    {STR_INIT("shared"), read_quota_shared}, {{NULL, 0}, NULL}};

	who->quota = (struct quota){.burst_ns = BURST_NS};
	who->bucket = NULL;
	return keys_read(reading, node, keys, "events, bytes, burst, shared", who);
}

static int read_silent(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return unit_of(reading, node, CONFIG_TYPE_duration, TEXT_collector_agencies_duration,
	    &who->silent_ns);
}

static int read_times(
    const struct reading *reading, const struct yaml_node *node, uint32_t *ret)
{
	int64_t times;
	int code = number_of(reading, node, &times);

	*ret = code == 0 ? (uint32_t)times : 0;
	return code;
}

static int read_silent_times(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return read_times(reading, node, &who->silent_times);
}

static int read_loud_times(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return read_times(reading, node, &who->loud_times);
}

/* ---- what one is known by ---- */

/* Nobody else may have it. show: it is no secret. */
static int mark_add(struct reading *reading, const struct yaml_node *node, enum mark mark,
    unsigned prefix, struct str bytes, struct identity_of *who, bool show)
{
	struct mark_row *row = agencies_find(reading->agencies, mark, prefix, bytes);

	if (row != NULL) {
		struct str owner = row->who->system.len > 0 ? row->who->system : row->who->agency;

		return show
		    ? error_at(reading->error, ERR_DOCUMENT, reading->file, node->line,
			  node->column, TEXT_collector_agencies_twice, STR_ARG(node->scalar),
			  STR_ARG(owner), row->line)
		    : error_at(reading->error, ERR_DOCUMENT, reading->file, node->line,
			  node->column, TEXT_collector_agencies_secret_twice, STR_ARG(owner),
			  row->line);
	}
	row = agencies_add(reading->agencies, mark, prefix, bytes, who);
	if (row == NULL)
		return no_memory(reading);
	row->line = node->line;
	return 0;
}

static bool address_parse(struct str text, uint8_t ret[16], size_t *size)
{
	char cstr[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(cstr))
		return false;
	memcpy(cstr, text.ptr, text.len);
	cstr[text.len] = '\0';
	if (strlen(cstr) != text.len)
		return false;
	*size = str_find_char(text, ':') == STR_NOT_FOUND ? 4 : 16;
	return inet_pton(*size == 4 ? AF_INET : AF_INET6, cstr, ret) == 1;
}

static int network_add(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	size_t slash = str_find_char(node->scalar, '/'), size;
	uint8_t bytes[16], *at = bytes;
	uint64_t prefix;

	if (!address_parse(str_slice(node->scalar, 0, slash), bytes, &size))
		return refuse_text(reading, node, TEXT_collector_agencies_network, node->scalar);
	prefix = size * 8;
	if (slash != STR_NOT_FOUND &&
	    (!str_to_u64(str_slice(node->scalar, slash + 1, node->scalar.len), &prefix) ||
		prefix > size * 8))
		return refuse_text(reading, node, TEXT_collector_agencies_network, node->scalar);
	if (!network_mask(bytes, size, (unsigned)prefix))
		return refuse_text(reading, node, TEXT_collector_agencies_bits, node->scalar);
	/* Senders of IPv4 are known by IPv4, whatever the socket. */
	if (size == 16 && prefix >= 96 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		at += 12;
		size = 4;
		prefix -= 96;
	}
	return mark_add(reading, node, size == 4 ? MARK_NETWORK4 : MARK_NETWORK6, (unsigned)prefix,
	    str_from(at, size), who, true);
}

static int read_networks(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return texts_read(reading, node, who, network_add);
}

/* "sha256:" and 64 digits, with or without colons between the bytes. */
static bool digest_parse(struct str text, uint8_t ret[HASH_SHA256])
{
	char digits[2 * HASH_SHA256];
	size_t count = 0;

	if (!str_starts_fold(text, STR("sha256:")))
		return false;
	for (size_t i = 7; i < text.len; i++) {
		if (text.ptr[i] == ':')
			continue;
		if (count == sizeof(digits))
			return false;
		digits[count++] = text.ptr[i];
	}
	return count == sizeof(digits) &&
	       str_to_bytes(str_from(digits, sizeof(digits)), ret, HASH_SHA256);
}

static int certificate_add(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	static const struct str kinds[] = {STR_INIT("dns:"), STR_INIT("uri:"), STR_INIT("email:")};
	uint8_t digest[HASH_SHA256];
	char lower[MARK_BYTES];
	struct str text = node->scalar;
	bool named = false;

	if (digest_parse(text, digest))
		return mark_add(reading, node, MARK_FINGERPRINT, 0,
		    str_from(digest, sizeof(digest)), who, true);
	for (size_t i = 0; i < 3; i++)
		named = named || (str_starts_fold(text, kinds[i]) && text.len > kinds[i].len);
	if (!named || text.len > sizeof(lower))
		return refuse_text(reading, node, TEXT_collector_agencies_certificate, text);
	for (size_t i = 0; i < text.len; i++)
		lower[i] = char_lower(text.ptr[i]);
	return mark_add(reading, node, MARK_NAME, 0, str_from(lower, text.len), who, true);
}

static int read_certificates(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return texts_read(reading, node, who, certificate_add);
}

static int refuse_token(const struct reading *reading, const struct yaml_node *node)
{
	return error_at(reading->error, ERR_DOCUMENT, reading->file, node->line, node->column,
	    TEXT_collector_agencies_token, TOKEN_LEAST, TOKEN_MOST);
}

static int token_add(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	struct str text = node->scalar;
	uint8_t digest[HASH_SHA256];

	if (str_starts_fold(text, STR("sha256:"))) {
		if (!digest_parse(text, digest))
			return refuse_token(reading, node);
	} else {
		if (text.len < TOKEN_LEAST || text.len > TOKEN_MOST)
			return refuse_token(reading, node);
		hash_sha256(text, digest);
	}
	return mark_add(
	    reading, node, MARK_TOKEN, 0, str_from(digest, sizeof(digest)), who, false);
}

static int read_tokens(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return texts_read(reading, node, who, token_add);
}

static int shared_key_add(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	struct agencies *agencies = reading->agencies;
	struct shared_key *key = arena_zalloc(agencies->arena, sizeof(*key));

	if (node->scalar.len < TOKEN_LEAST || node->scalar.len > TOKEN_MOST)
		return refuse_token(reading, node);
	if (key != NULL)
		key->key = arena_dup(agencies->arena, node->scalar);
	if (key == NULL || key->key.ptr == NULL)
		return no_memory(reading);
	key->who = who;
	if (agencies->last_key != NULL)
		agencies->last_key->next = key;
	else
		agencies->keys = key;
	agencies->last_key = key;
	return 0;
}

static int read_shared_keys(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return texts_read(reading, node, who, shared_key_add);
}

/* NAME:PASSWORD; the name has no colon. */
static int user_add(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	struct agencies *agencies = reading->agencies;
	size_t colon = str_find_char(node->scalar, ':');
	struct login *login = arena_zalloc(agencies->arena, sizeof(*login));

	if (colon == STR_NOT_FOUND || !is_name(str_slice(node->scalar, 0, colon)) ||
	    node->scalar.len - colon - 1 < TOKEN_LEAST || node->scalar.len > TOKEN_MOST)
		return refuse_token(reading, node);
	struct str text = arena_dup(agencies->arena, node->scalar);

	if (login == NULL || text.ptr == NULL)
		return no_memory(reading);
	*login = (struct login){.user = str_slice(text, 0, colon),
	    .password = str_slice(text, colon + 1, text.len), .who = who};
	if (agencies->last_login != NULL)
		agencies->last_login->next = login;
	else
		agencies->logins = login;
	agencies->last_login = login;
	return 0;
}

static int read_users(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return texts_read(reading, node, who, user_add);
}

/* A name that Kafka allows. */
static int topic_add(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	struct str text = node->scalar;
	bool good = text.len > 0 && text.len <= 249;

	for (size_t i = 0; good && i < text.len; i++)
		good = char_is_alpha(text.ptr[i]) || char_is_digit(text.ptr[i]) ||
		       str_find_char(STR("._-"), text.ptr[i]) != STR_NOT_FOUND;
	if (!good)
		return refuse_text(reading, node, TEXT_collector_agencies_topic, text);
	return mark_add(reading, node, MARK_TOPIC, 0, text, who, true);
}

static int read_kafka(
    struct reading *reading, const struct yaml_node *node, struct identity_of *who)
{
	return texts_read(reading, node, who, topic_add);
}

/* ---- agencies and systems ---- */

#define KEYS_OF_ALL                                                                                \
	{STR_INIT("name"), NULL}, {STR_INIT("contacts"), read_contacts},                           \
	    {STR_INIT("level"), read_level}, {STR_INIT("decoder"), read_decoder},                  \
	    {STR_INIT("zone"), read_zone}, {STR_INIT("inputs"), read_inputs},                      \
	    {STR_INIT("quota"), read_quota}, {STR_INIT("silent"), read_silent},                    \
	    {STR_INIT("silent_times"), read_silent_times},                                         \
	    {STR_INIT("loud_times"), read_loud_times}, {STR_INIT("networks"), read_networks},      \
	    {STR_INIT("certificates"), read_certificates}, {STR_INIT("tokens"), read_tokens},      \
	    {STR_INIT("shared_keys"), read_shared_keys}, {STR_INIT("users"), read_users},          \
	    {STR_INIT("kafka"), read_kafka}
#define NAMES_OF_ALL                                                                               \
	"name, contacts, level, decoder, zone, inputs, quota, silent, silent_times, loud_times, "  \
	"networks, certificates, tokens, shared_keys, users, kafka"

static const struct key system_keys[] = {KEYS_OF_ALL, {{NULL, 0}, NULL}};
static const struct key agency_keys[] = {
    KEYS_OF_ALL, {STR_INIT("systems"), NULL}, {{NULL, 0}, NULL}};

/* An identity of its own with that name, otherwise like its agency (NULL: it is one). */
static struct identity_of *identity_add(
    struct reading *reading, const struct identity_of *agency, struct str name)
{
	struct agencies *agencies = reading->agencies;
	struct identity_of *who = arena_zalloc(agencies->arena, sizeof(*who));

	if (agencies->count == agencies->capacity) {
		size_t capacity = agencies->capacity == 0 ? 16 : agencies->capacity * 2;
		struct identity_of **grown =
		    realloc(agencies->identities, capacity * sizeof(struct identity_of *));

		if (grown == NULL)
			return NULL;
		agencies->identities = grown;
		agencies->capacity = capacity;
	}
	name = arena_dup(agencies->arena, name);
	if (who == NULL || name.ptr == NULL)
		return NULL;
	if (agency != NULL)
		*who = *agency;
	else
		*who = (struct identity_of){
		    .known = true, .inputs = UINT64_MAX, .silent_times = 10};
	*(agency != NULL ? &who->system : &who->agency) = name;
	agencies->identities[agencies->count++] = who;
	return who;
}

static int who_read(struct reading *reading, const struct yaml_node *node,
    const struct identity_of *agency, struct identity_of **ret)
{
	const struct yaml_node *name =
	    node->kind == YAML_MAP ? yaml_get(node, STR("name")) : NULL;
	char both[2 * WHO_BYTES + 1];

	if (node->kind != YAML_MAP)
		return refuse(reading, node, TEXT_collector_agencies_list);
	if (name == NULL)
		return refuse(reading, node, TEXT_collector_agencies_nameless);
	if (name->kind != YAML_SCALAR || !is_name(name->scalar))
		return error_at(reading->error, ERR_DOCUMENT, reading->file, name->line,
		    name->column, TEXT_collector_agencies_name, WHO_BYTES);
	struct str key = agency == NULL ? who_name(name->scalar, STR_NONE, both)
					: who_name(agency->agency, name->scalar, both);
	struct mark_row *row = agencies_find(reading->agencies, MARK_WHO, 0, key);

	if (row != NULL)
		return error_at(reading->error, ERR_DOCUMENT, reading->file, name->line,
		    name->column, TEXT_collector_agencies_who, STR_ARG(name->scalar), row->line);
	*ret = identity_add(reading, agency, name->scalar);
	if (*ret == NULL)
		return no_memory(reading);
	return mark_add(reading, name, MARK_WHO, 0, key, *ret, true);
}

static int systems_read(struct reading *reading, const struct yaml_node *list,
    const struct identity_of *agency)
{
	int code = 0;

	if (list->kind != YAML_LIST)
		return refuse(reading, list, TEXT_collector_agencies_list);
	for (const struct yaml_node *node = list->first; node != NULL && code == 0;
	     node = node->next) {
		struct identity_of *who = NULL;

		code = who_read(reading, node, agency, &who);
		if (code == 0)
			code = keys_read(reading, node, system_keys, NAMES_OF_ALL, who);
	}
	return code;
}

static int read_agencies(
    struct reading *reading, const struct yaml_node *list, struct identity_of *unused)
{
	int code = 0;

	(void)unused;
	if (list->kind != YAML_LIST)
		return refuse(reading, list, TEXT_collector_agencies_list);
	for (const struct yaml_node *node = list->first; node != NULL && code == 0;
	     node = node->next) {
		struct identity_of *who = NULL;

		code = who_read(reading, node, NULL, &who);
		if (code == 0)
			code = keys_read(
			    reading, node, agency_keys, NAMES_OF_ALL ", systems", who);
		const struct yaml_node *systems =
		    code == 0 ? yaml_get(node, STR("systems")) : NULL;

		if (systems != NULL)
			code = systems_read(reading, systems, who);
	}
	return code;
}

static int read_unknown(
    struct reading *reading, const struct yaml_node *node, struct identity_of *unused)
{
	static const struct key keys[] = {{STR_INIT("inputs"), read_inputs},
	    {STR_INIT("quota"), read_quota}, {STR_INIT("silent"), read_silent},
	    {STR_INIT("silent_times"), read_silent_times},
	    {STR_INIT("loud_times"), read_loud_times}, {{NULL, 0}, NULL}};

	(void)unused;
	return keys_read(reading, node, keys, "inputs, quota, silent, silent_times, loud_times",
	    &reading->agencies->unknown);
}

/* A network within another agency's is meant sometimes, and a slip of the pen at others. */
static int overlaps_find(struct reading *reading)
{
	struct agencies *agencies = reading->agencies;
	size_t capacity = 0;

	for (struct mark_row *row = agencies->first; row != NULL; row = row->next) {
		bool network = row->mark == MARK_NETWORK4 || row->mark == MARK_NETWORK6;
		const struct mark_row *wider = !network || row->prefix == 0 ? NULL
		    : agencies_network(agencies, row->bytes, row->prefix - 1u);

		if (wider == NULL || str_eq(wider->who->agency, row->who->agency))
			continue;
		if (agencies->overlap_count == capacity) {
			capacity = capacity == 0 ? 8 : capacity * 2;
			const char **grown =
			    realloc(agencies->overlaps, capacity * sizeof(const char *));

			if (grown == NULL)
				return no_memory(reading);
			agencies->overlaps = grown;
		}
		struct error told = {0};

		error_set(&told, ERR_DOCUMENT, TEXT_collector_agencies_overlap, row->line,
		    STR_ARG(row->who->agency), wider->line, STR_ARG(wider->who->agency));
		agencies->overlaps[agencies->overlap_count] =
		    arena_cstr(agencies->arena, str_of(told.text));
		if (agencies->overlaps[agencies->overlap_count++] == NULL)
			return no_memory(reading);
	}
	return 0;
}

static int document_read(struct reading *reading, struct arena *arena, struct str yaml)
{
	static const struct yaml_limits limits = {FILE_BYTES, (size_t)1 << 20, 16};
	static const struct key keys[] = {{STR_INIT("unknown"), read_unknown},
	    {STR_INIT("agencies"), read_agencies}, {{NULL, 0}, NULL}};
	struct yaml_node **roots;
	size_t count;
	int code = yaml_parse(arena, yaml, reading->file, &limits, &roots, &count, reading->error);

	if (code < 0)
		return code;
	if (count > 1)
		return error_at(reading->error, ERR_DOCUMENT, reading->file,
		    roots[1] == NULL ? 1 : roots[1]->line, 1, TEXT_config_documents, count);
	if (count == 0 || roots[0] == NULL)
		return 0;
	if (roots[0]->kind != YAML_MAP)
		return refuse(reading, roots[0], TEXT_collector_agencies_root);
	code = keys_read(reading, roots[0], keys, "unknown, agencies", NULL);
	return code < 0 ? code : overlaps_find(reading);
}

int agencies_parse(struct agencies **ret, struct str yaml, const char *file, struct str agency,
    struct error *error)
{
	struct reading reading = {agencies_new(agency), file, error};
	struct arena *arena = arena_new(ARENA_BYTES);
	int code;

	if (reading.agencies == NULL || arena == NULL)
		code = no_memory(&reading);
	else
		code = document_read(&reading, arena, yaml);
	arena_free(arena);
	if (code < 0) {
		agencies_free(reading.agencies);
		return code;
	}
	*ret = reading.agencies;
	return 0;
}

int agencies_read(
    struct agencies **ret, const char *path, struct str agency, struct error *error)
{
	struct arena *arena = arena_new(FILE_BYTES + 65536);
	struct str yaml;
	int code = arena == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
				 : file_read(arena, path, FILE_BYTES, &yaml, error);

	if (code == 0)
		code = agencies_parse(ret, yaml, path, agency, error);
	arena_free(arena);
	return code;
}
