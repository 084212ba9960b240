/* fuzz: collector - agencies.yml: refused with a position, or found again by all that it says */
#include "collector/agencies_table.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct agencies *agencies, const struct mark_row *row)
{
	uint8_t none[HASH_SHA256] = {0};

	switch (row->mark) {
	case MARK_NETWORK4:
	case MARK_NETWORK6:
		/* The first address of a network: the network, or a narrower one. */
		CHECK(agencies_network(agencies, row->bytes, (unsigned)row->bytes.len * 8)->prefix >=
		      row->prefix);
		CHECK(agencies_network(agencies, row->bytes, row->prefix) == row);
		break;
	case MARK_NAME:
		CHECK(agencies_by_certificate(agencies, &row->bytes, 1, none) == row->who);
		break;
	case MARK_FINGERPRINT:
		CHECK(agencies_by_certificate(
			  agencies, NULL, 0, (const uint8_t *)row->bytes.ptr) == row->who);
		break;
	case MARK_TOPIC:
		CHECK(agencies_by_topic(agencies, row->bytes) == row->who);
		break;
	case MARK_WHO:
		CHECK(agencies_by_name(agencies, row->who->agency, row->who->system) == row->who);
		break;
	case MARK_TOKEN:
	case MARK_COUNT:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agencies *agencies = NULL;
	struct error error = {0};
	int code = agencies_parse(
	    &agencies, str_from(data, size), "agencies.yml", STR("site"), &error);

	if (code < 0) {
		CHECK(error.code == code && error.text[0] != '\0');
		CHECK(code != ERR_DOCUMENT || error.line > 0);
		return 0;
	}
	for (const struct mark_row *row = agencies->first; row != NULL; row = row->next)
		ask(agencies, row);
	for (size_t i = 0; agencies_overlap(agencies, i) != NULL; i++)
		CHECK(strlen(agencies_overlap(agencies, i)) > 0);
	agencies_free(agencies);
	return 0;
}
