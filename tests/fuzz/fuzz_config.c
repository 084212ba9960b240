/* fuzz: base - a configuration file; then its lines as key=value overrides */
#include "base/check.h"
#include "base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_outcome(int code, int refused, const struct error *error)
{
	CHECK(code == error->code);
	CHECK(code == 0 || code == refused);
	CHECK(code == 0 || error->text[0] != '\0');
}

/* Numbers that the table bounds stay within what the least bounded consumer may assume. */
static void check_values(const struct config *config)
{
	CHECK(config_number(config, CONFIG_BUS_PARTITIONS_EVENTS) >= 1);
	CHECK(config_number(config, CONFIG_COLLECTOR_FRAME_LIMIT) <= 1 << 20);
	CHECK(config_number(config, CONFIG_LOG_LEVEL) <= 3);
	CHECK(config_text(config, CONFIG_DATA_PATH).len >= 1);
	CHECK(config_count(config, CONFIG_SYSLOG_UDP_LISTEN) <= 16);
	for (size_t i = 0; i < config_count(config, CONFIG_BUS_KAFKA_PROPERTIES); i++)
		CHECK(config_name(config, CONFIG_BUS_KAFKA_PROPERTIES, i).len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = config_new();
	struct str rest = str_from(data, size), line, key;
	struct error error = {0};

	CHECK(config != NULL);
	int code = config_parse(config, rest, "fuzz", &error);

	check_outcome(code, ERR_DOCUMENT, &error);
	CHECK(code == 0 || (error.line > 0 && error.column > 0));
	check_values(config);
	/* So many overrides as a command line would hold; more would fill the memory by intent. */
	for (int i = 0; i < 64 && str_cut(&rest, '\n', &line); i++) {
		error_clear(&error);
		if (!str_cut(&line, '=', &key))
			continue;
		check_outcome(config_set(config, key, line, &error), ERR_USAGE, &error);
	}
	check_values(config);
	config_free(config);
	return 0;
}
