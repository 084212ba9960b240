#include "event/event.h"

#include "base/digits.h"

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

int coordinate_compare(struct coordinate a, struct coordinate b)
{
	int order = compare_u64(a.collector, b.collector);

	if (order == 0)
		order = compare_u64(a.epoch, b.epoch);
	return order != 0 ? order : compare_u64(a.counter, b.counter);
}

struct str coordinate_format(struct coordinate at, char out[COORDINATE_TEXT])
{
	char *end = digits_hex64(out, at.collector);

	*end++ = '-';
	end = digits_hex64(end, at.epoch);
	*end++ = '-';
	end = digits_u64(end, at.counter);
	*end = '\0';
	return (struct str){out, (size_t)(end - out)};
}

static bool hex_u64(struct str text, uint64_t *ret)
{
	uint64_t value = 0;

	if (text.len != 16)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = char_hex(text.ptr[i]);

		if (digit < 0)
			return false;
		value = value << 4 | (uint64_t)digit;
	}
	*ret = value;
	return true;
}

bool coordinate_parse(struct str text, struct coordinate *ret)
{
	struct coordinate at;

	if (text.len < 35 || text.ptr[16] != '-' || text.ptr[33] != '-' ||
	    !hex_u64(str_slice(text, 0, 16), &at.collector) ||
	    !hex_u64(str_slice(text, 17, 33), &at.epoch) ||
	    !str_to_u64(str_slice(text, 34, text.len), &at.counter))
		return false;
	*ret = at;
	return true;
}

static const char *const transport_names[] = {
	[TRANSPORT_UNKNOWN] = "unknown",
	[TRANSPORT_UDP] = "udp",
	[TRANSPORT_TCP] = "tcp",
	[TRANSPORT_TLS] = "tls",
	[TRANSPORT_UNIX] = "unix",
	[TRANSPORT_RELP] = "relp",
	[TRANSPORT_HTTP] = "http",
	[TRANSPORT_LUMBERJACK] = "lumberjack",
	[TRANSPORT_FORWARD] = "forward",
	[TRANSPORT_GELF] = "gelf",
	[TRANSPORT_FILE] = "file",
	[TRANSPORT_KAFKA] = "kafka",
};

_Static_assert(sizeof(transport_names) / sizeof(*transport_names) == TRANSPORT_COUNT,
    "every transport has a name");

struct str transport_name(enum transport transport)
{
	if ((unsigned)transport >= TRANSPORT_COUNT)
		transport = TRANSPORT_UNKNOWN;
	return str_of(transport_names[transport]);
}

bool transport_parse(struct str name, enum transport *ret)
{
	for (unsigned i = 0; i < TRANSPORT_COUNT; i++) {
		if (str_eq(name, str_of(transport_names[i]))) {
			*ret = (enum transport)i;
			return true;
		}
	}
	return false;
}
