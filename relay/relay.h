#ifndef TG_RELAY_RELAY_H
#define TG_RELAY_RELAY_H

#include "lib/sys/settings.h"
#include "relay/queue.h"
#include "relay/site.h"

/*
 * What all threads of tollgate-relay share. Made by main before threads start; nothing in it
 * changes but behind the functions of its parts.
 */

struct scheduler;

struct relay {
    const struct settings *settings;
    char hostname[256];
    char maildir_root[512];
    struct site *site;
    struct queue queue;
    struct scheduler *scheduler; /* NULL: nothing is delivered (tests) */
};

#endif
