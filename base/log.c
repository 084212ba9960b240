#include "base/log.h"

#include "base/civil.h"
#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

#define WORDS_LENGTH 4096u
/* Every byte of the words may become \u{NNNN} or \u00NN. */
#define LINE_CEILING (8 * WORDS_LENGTH)

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static void put_text(
    struct buf *out, const struct log *log, struct str time, const char *level, struct str words)
{
	buf_printf(out, "%.*s %s ", STR_ARG(time), level);
	if (log->stage.len > 0)
		buf_printf(out, "%.*s: ", STR_ARG(log->stage));
	utf8_escape(out, words, false);
}

static void put_json(
    struct buf *out, const struct log *log, struct str time, const char *level, struct str words)
{
	struct json json = json_begin(out);

	json_open(&json, '{');
	json_pair(&json, "time", time);
	json_pair(&json, "level", str_of(level));
	if (log->stage.len > 0)
		json_pair(&json, "stage", log->stage);
	json_pair(&json, "text", words);
	json_close(&json, '}');
}

static void write_line(int fd, struct str line)
{
	while (line.len > 0) {
		ssize_t put = write(fd, line.ptr, line.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return;
		line = str_slice(line, (size_t)put, line.len);
	}
}

static void put_line(const struct log *log, int64_t now_ns, enum log_level level, struct str words)
{
	struct buf line = BUF(LINE_CEILING);
	char time_text[CIVIL_TEXT];
	struct str time = civil_format(now_ns, log->zone_s, 3, time_text);

	if (log->format == LOG_FORMAT_JSON)
		put_json(&line, log, time, level_names[level], words);
	else
		put_text(&line, log, time, level_names[level], words);
	buf_char(&line, '\n');
	if (!line.failed)
		write_line(log->fd, buf_str(&line));
	buf_free(&line);
}

void log_put(const struct log *log, int64_t now_ns, enum log_level level, enum text_id id, ...)
{
	char words[WORDS_LENGTH];
	va_list args;

	if (level > log->level)
		return;
	va_start(args, id);
	vsnprintf(words, sizeof(words), text(id), args);
	va_end(args);
	put_line(log, now_ns, level, str_of(words));
}

void log_error(const struct log *log, int64_t now_ns, const struct error *error)
{
	char words[sizeof(error->file) + sizeof(error->text) + 32];

	put_line(log, now_ns, LOG_LEVEL_ERROR, str_of(error_format(error, words, sizeof(words))));
}
