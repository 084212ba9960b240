/*
 * log.h - what a program tells about itself, a line at a time.
 *
 * Only programs (cli/ and the loop of a stage) log; libraries return. A line is one write(2), so
 * that lines of several processes on one pipe stay whole. The time is the caller's; the words are
 * the catalogue's; whatever a stranger put into them is escaped.
 */
#ifndef TOCSIN_BASE_LOG_H
#define TOCSIN_BASE_LOG_H

#include "base/error.h"

/* In the order of the choices of log.level. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* In the order of the choices of log.format. */
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log {
	int fd;
	enum log_level level; /* less important lines are not written */
	enum log_format format;
	int32_t zone_s;       /* seconds east of UTC in which the time is told */
	struct str stage;     /* borrowed; may be empty */
};

/*
 * Text: "2026-11-22T13:27:00.123+07:00 warning collect: words". JSON: an object with time, level,
 * stage and text. A line longer than 4 KiB is cut. Failures to write are ignored: there is nowhere
 * to tell them.
 */
void log_put(const struct log *log, int64_t now_ns, enum log_level level, enum text_id id, ...);
/* The error with its position. */
void log_error(const struct log *log, int64_t now_ns, const struct error *error);

#endif
