/*
 * store_alert.h - one record of the topic "alerts" into the transaction; private to store.
 */
#ifndef TOCSIN_STORAGE_STORE_ALERT_H
#define TOCSIN_STORAGE_STORE_ALERT_H

#include "storage/batch.h"

/* 0, or a negative code of the broken world; what the record says can cause none. */
int store_record(
    struct batch *batch, struct hash_key index_key, uint32_t partition, struct str value);

#endif
