/*
 * settings.h - librdkafka's properties out of the configuration, and the password out of its file.
 */
#ifndef TOCSIN_BUS_SETTINGS_H
#define TOCSIN_BUS_SETTINGS_H

#include "base/config.h"
#include "bus/bus.h"

/*
 * map and password_file: keys of that kind, such as bus.kafka.properties. *ret is in the arena, its
 * texts there or in the configuration. ERR_DOCUMENT: a password stands among the properties, where
 * command lines and copies of the file would show it, or others than owner and group may read its
 * file.
 */
int bus_settings_read(struct arena *arena, const struct config *config, enum config_key map,
    enum config_key password_file, struct bus_setting **ret, size_t *ret_count,
    struct error *error);

#endif
