/*
 * http_elastic.h - answers as Elasticsearch gives them, for http_bulk.c and http_elastic.c.
 */
#ifndef TOCSIN_COLLECTOR_HTTP_ELASTIC_H
#define TOCSIN_COLLECTOR_HTTP_ELASTIC_H

#include "collector/http.h"

/* With X-Elastic-Product, without which official clients take nothing from us. */
void elastic_answer(struct exchange *exchange, unsigned status, struct str body);
/* An error: type and reason are plain text. With Retry-After for 429. */
void elastic_error(
    struct exchange *exchange, unsigned status, const char *type, const char *reason);
void elastic_barred(struct exchange *exchange, enum identified why);

#endif
