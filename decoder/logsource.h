/*
 * logsource.h - log sources that the configuration tells by the fields of events
 * (decode.logsources): for senders that say what they are only in what they write.
 *
 * A file is one YAML list of rows, read in order; the first row that holds for an event decides its
 * product, service and categories, in place of what the decoders found. docs/sigma.md has the keys
 * of a row and examples.
 */
#ifndef TOCSIN_DECODER_LOGSOURCE_H
#define TOCSIN_DECODER_LOGSOURCE_H

#include "base/error.h"
#include "event/record.h"

#define LOGSOURCE_ROWS   4096u
#define LOGSOURCE_VALUES 65536u /* of all rows together */

struct logsources;

/* 0, ERR_DOCUMENT with line and column, ERR_MEMORY, or the code of reading. */
int logsources_load(struct logsources **ret, const char *path, struct error *error);
/* The same of a text; file is for messages. */
int logsources_parse(struct logsources **ret, struct str yaml, const char *file,
    struct error *error);
void logsources_free(struct logsources *sources); /* accepts NULL */
size_t logsources_count(const struct logsources *sources);
/* Whether some row can say so; empty attributes are any. A row that reads them can say anything. */
bool logsources_give(const struct logsources *sources, struct str product, struct str category,
    struct str service);

struct notes;

/* Whether a field of that name leads to some row. */
bool logsources_ask(const struct logsources *sources, struct str name);
/*
 * The first row that holds, if any. decoders of the record is set by then. notes are of the record,
 * with a keybook of these sources, so that it costs a probe a field that some row asks for, however
 * many rows and fields there are. Reads only: any number of threads. What it sets lives as long as
 * the record and the sources.
 */
void logsources_apply(const struct logsources *sources, struct record *record,
    const struct notes *notes);

#endif
