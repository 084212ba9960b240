#include "collector/agencies.h"

#include "collector/agencies_table.h"
#include "collector/input.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES ((size_t)256 << 20)

struct agencies *agencies_new(struct str agency)
{
	struct agencies *agencies = calloc(1, sizeof(*agencies));

	if (agencies == NULL)
		return NULL;
	agencies->arena = arena_new(ARENA_BYTES);
	agencies->slot_count = 64;
	agencies->slots = calloc(agencies->slot_count, sizeof(struct mark_row *));
	if (agencies->arena == NULL || agencies->slots == NULL) {
		agencies_free(agencies);
		return NULL;
	}
	agencies->unknown.inputs = UINT64_MAX;
	agencies->unknown.agency = arena_dup(agencies->arena, agency);
	return agencies;
}

struct agencies *agencies_none(struct str agency)
{
	return agencies_new(agency);
}

void agencies_free(struct agencies *agencies)
{
	if (agencies == NULL)
		return;
	arena_free(agencies->arena);
	free(agencies->slots);
	free(agencies->identities);
	free(agencies->overlaps);
	free(agencies);
}

/* Without a branch on what is compared: some of it is secret. */
static bool same_bytes(struct str a, struct str b)
{
	unsigned differs = 0;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		differs |= (unsigned)(a.ptr[i] ^ b.ptr[i]) & 0xffu;
	return differs == 0;
}

static struct mark_row **slot_of(struct mark_row **slots, size_t count, enum mark mark,
    unsigned prefix, struct str bytes)
{
	struct hash_key key = hash_process_key();

	key.k0 ^= (uint64_t)mark << 8 | prefix;
	size_t at = (size_t)hash_sip64(key, bytes) & (count - 1);

	while (slots[at] != NULL && (slots[at]->mark != mark || slots[at]->prefix != prefix ||
	       !same_bytes(slots[at]->bytes, bytes)))
		at = (at + 1) & (count - 1);
	return &slots[at];
}

struct mark_row *agencies_find(
    const struct agencies *agencies, enum mark mark, unsigned prefix, struct str bytes)
{
	return *slot_of(agencies->slots, agencies->slot_count, mark, prefix, bytes);
}

static bool slots_grow(struct agencies *agencies)
{
	size_t count = agencies->slot_count * 2;
	struct mark_row **slots = calloc(count, sizeof(struct mark_row *));

	if (slots == NULL)
		return false;
	for (struct mark_row *row = agencies->first; row != NULL; row = row->next)
		*slot_of(slots, count, row->mark, row->prefix, row->bytes) = row;
	free(agencies->slots);
	agencies->slots = slots;
	agencies->slot_count = count;
	return true;
}

struct mark_row *agencies_add(struct agencies *agencies, enum mark mark, unsigned prefix,
    struct str bytes, struct identity_of *who)
{
	struct mark_row *row = arena_zalloc(agencies->arena, sizeof(*row));

	if (row == NULL || (agencies->used * 2 >= agencies->slot_count && !slots_grow(agencies)))
		return NULL;
	*row = (struct mark_row){.mark = mark,
	    .prefix = (uint8_t)prefix,
	    .bytes = arena_dup(agencies->arena, bytes),
	    .who = who};
	if (row->bytes.ptr == NULL)
		return NULL;
	*slot_of(agencies->slots, agencies->slot_count, mark, prefix, bytes) = row;
	if (agencies->last != NULL)
		agencies->last->next = row;
	else
		agencies->first = row;
	agencies->last = row;
	agencies->used++;
	agencies->counts[mark]++;
	if (mark == MARK_NETWORK4 || mark == MARK_NETWORK6)
		agencies->prefixes[mark == MARK_NETWORK6][prefix / 64] |= UINT64_C(1)
									  << prefix % 64;
	return row;
}

bool network_mask(uint8_t *at, size_t size, unsigned prefix)
{
	bool clean = true;

	for (size_t i = 0; i < size; i++) {
		unsigned before = 8 * (unsigned)i;
		unsigned bits = prefix <= before ? 0 : prefix - before > 8 ? 8 : prefix - before;
		uint8_t kept = (uint8_t)(at[i] & (0xff00u >> bits));

		clean = clean && kept == at[i];
		at[i] = kept;
	}
	return clean;
}

/* There are few lengths of prefixes, however many networks: one look into the table for each. */
const struct mark_row *agencies_network(
    const struct agencies *agencies, struct str address, unsigned prefix_max)
{
	bool six = address.len == 16;
	uint8_t masked[16];

	for (unsigned prefix = prefix_max + 1; prefix-- > 0;) {
		if ((agencies->prefixes[six][prefix / 64] >> prefix % 64 & 1) == 0)
			continue;
		memcpy(masked, address.ptr, address.len);
		network_mask(masked, address.len, prefix);
		const struct mark_row *row = agencies_find(agencies,
		    six ? MARK_NETWORK6 : MARK_NETWORK4, prefix, str_from(masked, address.len));

		if (row != NULL)
			return row;
	}
	return NULL;
}

const struct identity_of *agencies_unknown(const struct agencies *agencies)
{
	return &agencies->unknown;
}

struct str who_name(struct str agency, struct str system, char out[2 * WHO_BYTES + 1])
{
	agency = str_slice(agency, 0, WHO_BYTES);
	system = str_slice(system, 0, WHO_BYTES);
	if (agency.len > 0)
		memcpy(out, agency.ptr, agency.len);
	out[agency.len] = '\0';
	if (system.len > 0)
		memcpy(out + agency.len + 1, system.ptr, system.len);
	return str_from(out, agency.len + 1 + system.len);
}

static struct str address_bytes(const struct sockaddr *address)
{
	const void *at = address;

	if (address->sa_family == AF_INET)
		return str_from(&((const struct sockaddr_in *)at)->sin_addr, 4);
	if (address->sa_family != AF_INET6)
		return STR_NONE;
	const struct in6_addr *six = &((const struct sockaddr_in6 *)at)->sin6_addr;

	return IN6_IS_ADDR_V4MAPPED(six) ? str_from(six->s6_addr + 12, 4)
					 : str_from(six->s6_addr, 16);
}

const struct identity_of *agencies_by_network(
    const struct agencies *agencies, const struct sockaddr *address)
{
	struct str bytes = address_bytes(address);
	const struct mark_row *row =
	    bytes.len == 0 ? NULL : agencies_network(agencies, bytes, (unsigned)bytes.len * 8);

	return row == NULL ? &agencies->unknown : row->who;
}

static const struct identity_of *who_of(const struct mark_row *row)
{
	return row == NULL ? NULL : row->who;
}

const struct identity_of *agencies_by_token(const struct agencies *agencies, struct str token)
{
	uint8_t digest[HASH_SHA256];

	hash_sha256(token, digest);
	return who_of(agencies_find(agencies, MARK_TOKEN, 0, str_from(digest, sizeof(digest))));
}

const struct identity_of *agencies_by_certificate(const struct agencies *agencies,
    const struct str *names, size_t count, const uint8_t fingerprint[32])
{
	const struct mark_row *row =
	    agencies_find(agencies, MARK_FINGERPRINT, 0, str_from(fingerprint, HASH_SHA256));

	for (size_t i = 0; i < count && row == NULL; i++) {
		char lower[MARK_BYTES];
		size_t len = names[i].len;

		if (len > sizeof(lower))
			continue;
		for (size_t j = 0; j < len; j++)
			lower[j] = char_lower(names[i].ptr[j]);
		row = agencies_find(agencies, MARK_NAME, 0, str_from(lower, len));
	}
	return who_of(row);
}

const struct identity_of *agencies_by_topic(const struct agencies *agencies, struct str topic)
{
	const struct mark_row *row = agencies_find(agencies, MARK_TOPIC, 0, topic);

	return row == NULL ? &agencies->unknown : row->who;
}

const struct identity_of *agencies_by_name(
    const struct agencies *agencies, struct str agency, struct str system)
{
	char both[2 * WHO_BYTES + 1];

	return who_of(agencies_find(agencies, MARK_WHO, 0, who_name(agency, system, both)));
}

bool agencies_have_tokens(const struct agencies *agencies)
{
	return agencies->counts[MARK_TOKEN] > 0;
}

bool agencies_have_certificates(const struct agencies *agencies)
{
	return agencies->counts[MARK_NAME] + agencies->counts[MARK_FINGERPRINT] > 0;
}

const struct identity_of *agencies_shared_key(
    const struct agencies *agencies, size_t index, struct str *key)
{
	const struct shared_key *at = agencies->keys;

	while (at != NULL && index-- > 0)
		at = at->next;
	if (at == NULL)
		return NULL;
	*key = at->key;
	return at->who;
}

const struct identity_of *agencies_login(
    const struct agencies *agencies, size_t index, struct str *user, struct str *password)
{
	const struct login *at = agencies->logins;

	while (at != NULL && index-- > 0)
		at = at->next;
	if (at == NULL)
		return NULL;
	*user = at->user;
	*password = at->password;
	return at->who;
}

bool identity_allows(const struct identity_of *identity, const char *input)
{
	for (size_t i = 0; i < input_count(); i++) {
		if (strcmp(input_at(i)->name, input) == 0)
			return (identity->inputs >> i & 1) != 0;
	}
	return true;
}

size_t agencies_count(const struct agencies *agencies)
{
	return agencies->count;
}

const struct identity_of *agencies_at(const struct agencies *agencies, size_t index)
{
	return agencies->identities[index];
}

const char *agencies_overlap(const struct agencies *agencies, size_t index)
{
	return index < agencies->overlap_count ? agencies->overlaps[index] : NULL;
}
