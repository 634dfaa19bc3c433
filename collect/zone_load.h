#ifndef TG_COLLECT_ZONE_LOAD_H
#define TG_COLLECT_ZONE_LOAD_H

#include "collect/zone.h"

/* Reads the zone of that name ("Europe/Zagreb") from /usr/share/zoneinfo, the machine's own (from
 * /etc/localtime) for an empty name. *zone is NULL for UTC, which a machine without /etc/localtime
 * has. */
int zone_load(const char *name, struct zone **zone, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
