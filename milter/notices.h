#ifndef TG_MILTER_NOTICES_H
#define TG_MILTER_NOTICES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/core/slice.h"

/*
 * Log lines that would repeat: each key is let through once in a time, and what was held back in
 * between is counted.
 *
 * Limits: NOTICES_MAX keys at a time; while all places are taken by keys still within their time,
 * further ones are held back, so that strangers cannot make the log grow by inventing names.
 * Threads: all; the lock guards the table.
 */

#define NOTICES_MAX 1024

struct notices {
    pthread_mutex_t lock;
    struct notice {
        uint64_t hash; /* of the key */
        int64_t until_ms;
        uint64_t held_back;
    } list[NOTICES_MAX];
};

void notices_init(struct notices *n);
void notices_fini(struct notices *n);

/* Is a line of this key due now? Then not again for `every_ms`; *held_back (may be NULL) says how
 * many were not since the last. */
bool notices_due(struct notices *n, struct slice key, int64_t now_ms, int64_t every_ms,
                 uint64_t *held_back);

#endif
