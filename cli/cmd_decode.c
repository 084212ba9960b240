#include "cli/command.h"
#include "cli/decoded.h"

#include "base/civil.h"
#include "base/clock.h"
#include "decoder/decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct decode {
	struct context *context;
	struct arena *arena;
	bool json;
	int64_t received_ns;
	int32_t zone_s;
	struct str hint;
};

static void print_pair(struct str name, struct str ecs, struct str value)
{
	printf("  %-22.*s ", STR_ARG(name));
	print_escaped(stdout, value);
	if (ecs.len > 0)
		printf("   (%.*s)", STR_ARG(ecs));
	putchar('\n');
}

static void print_record(const struct decode *decode, const struct record *record)
{
	char time[CIVIL_TEXT];

	printf("%s  %s%.*s%s\n", civil_format(record->time_ns, decode->zone_s, 3, time).ptr,
	    decode->context->color ? "\033[1m" : "", STR_ARG(record->decoders),
	    decode->context->color ? "\033[0m" : "");
	if (record->flags & RECORD_NO_TIME)
		printf("  %s\n", text(TEXT_cli_no_time));
	print_pair(STR("product"), STR_NONE, record->product);
	print_pair(STR("service"), STR_NONE, record->service);
	for (size_t i = 0; i < record->category_count; i++)
		print_pair(STR("category"), STR_NONE, record->categories[i]);
	for (size_t i = 0; i < record->field_count; i++)
		print_pair(record->fields[i].name, field_ecs(record->fields[i].id),
		    record->fields[i].value);
	putchar('\n');
}

static void decode_line(struct decode *decode, struct str line)
{
	struct event event = {.received_ns = decode->received_ns, .zone_s = decode->zone_s,
	    .transport = TRANSPORT_FILE, .decoder = decode->hint, .raw = line};
	struct record record;

	arena_reset(decode->arena);
	decoder_run(&record, &event, decode->arena);
	if (!decode->json) {
		print_record(decode, &record);
		return;
	}
	struct buf out = BUF(32u << 20);
	struct json json = json_begin(&out);

	decoded_write(&json, &record, true);
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

static int decode_stream(struct decode *decode, FILE *in)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t len;

	while ((len = getline(&line, &capacity, in)) > 0) {
		while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
			len--;
		if (len > 0)
			decode_line(decode, str_from(line, (size_t)len));
	}
	free(line);
	return 0;
}

static int decode_list(void)
{
	static const char *const stages[] = {"header", "payload", "application"};

	for (size_t i = 0; i < decoder_count(); i++) {
		const struct decoder *decoder = decoder_at(i);

		printf("%-18s %-12s %s\n", decoder->name, stages[decoder->stage], decoder->summary);
	}
	return EXIT_OK;
}

static int decode_setup(struct decode *decode, const struct arguments *arguments,
    struct error *error)
{
	const char *received = arguments_get(arguments, "received");
	int64_t zone = config_number(decode->context->config, CONFIG_SITE_ZONE);

	decode->json = arguments_has(arguments, "json");
	decode->hint = str_of(arguments_get(arguments, "decoder"));
	decode->received_ns = clock_wall_ns();
	decode->zone_s = zone == CONFIG_ZONE_AUTO ? decode->context->zone_s : (int32_t)zone;
	if (received != NULL && !parse_time(str_of(received), decode->received_ns, decode->zone_s,
		&decode->received_ns))
		return error_set(error, ERR_USAGE, TEXT_cli_bad_time, received);
	decode->arena = arena_new(64u << 20);
	return decode->arena == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;
}

static int decode_run(struct context *context, const struct arguments *arguments)
{
	struct decode decode = {.context = context};
	struct error error = {0};

	if (arguments_has(arguments, "list"))
		return decode_list();
	int code = decode_setup(&decode, arguments, &error);

	for (size_t i = 0; i < arguments->word_count && code == 0; i++) {
		if (strcmp(arguments->words[i], "-") == 0)
			code = decode_stream(&decode, stdin);
		else
			decode_line(&decode, str_of(arguments->words[i]));
	}
	for (size_t i = 0; code == 0 && arguments_each(arguments, "file", i) != NULL; i++) {
		const char *path = arguments_each(arguments, "file", i);
		FILE *in = fopen(path, "re");

		code = in == NULL ? error_system(&error, errno, TEXT_base_open, path)
				  : decode_stream(&decode, in);
		if (in != NULL)
			fclose(in);
	}
	if (code == 0 && arguments->word_count == 0 && !arguments_has(arguments, "file"))
		code = decode_stream(&decode, stdin);
	arena_free(decode.arena);
	return code < 0 ? context_fail(&error) : EXIT_OK;
}

const struct command command_decode = {
    .name = "decode",
    .synopsis = "[LINE...] [--file FILE] [--json] | --list",
    .summary = TEXT_cli_decode,
    .description = TEXT_cli_decode_about,
    .examples = (const struct example_row[]){
	{"tocsin decode '<38>Nov 22 06:27:00 web01 sshd[811]: Failed password for root from "
	 "203.0.113.7 port 40112 ssh2'", TEXT_cli_decode_example},
	{"tocsin decode --json < /var/log/auth.log", TEXT_cli_decode_example2},
	{"tocsin decode --list", TEXT_cli_decode_example3},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{'f', "file", "FILE", TEXT_cli_opt_file},
	{'d', "decoder", "NAME", TEXT_cli_opt_decoder},
	{0, "received", "TIME", TEXT_cli_opt_received},
	{'l', "list", NULL, TEXT_cli_opt_list},
	{'j', "json", NULL, TEXT_cli_opt_json},
	{0, NULL, NULL, TEXT_COUNT}},
    .run = decode_run,
};
