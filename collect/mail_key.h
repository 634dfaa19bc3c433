#ifndef TG_COLLECT_MAIL_KEY_H
#define TG_COLLECT_MAIL_KEY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "collect/log_line.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * Keys of what is open: of a process "SOURCE HOST TAG PID", of a message "INSTANCE ID".
 * Limits: longer parts are cut.
 */

#define MAIL_KEY_PART 120

struct mail_key {
    char bytes[3 * MAIL_KEY_PART + 60];
    size_t len;
};

/* The process that wrote the line; or of its tag, what is called `what` (a client's "[ip]:port").
 * The slice lives as long as *k. */
struct slice mail_key_process(struct mail_key *k, const struct log_line *line) TG_NONNULL(1, 2);
struct slice mail_key_named(struct mail_key *k, const struct log_line *line, struct slice what)
    TG_NONNULL(1, 2);
struct slice mail_key_message(struct mail_key *k, struct slice instance, struct slice id)
    TG_NONNULL(1);
/* The parts of a message's key. */
struct slice mail_key_id(struct slice key);
struct slice mail_key_instance(struct slice key);
/* Of all sources. */
#define MAIL_KEY_ALL UINT_MAX
/* Is it of a process whose lines come from that source? */
bool mail_key_is_from(struct slice key, unsigned source);
/* Is it of a process of the line's host and instance? */
bool mail_key_is_of(struct slice key, const struct log_line *line) TG_NONNULL(2);

#endif
