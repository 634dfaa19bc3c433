#ifndef TG_CLI_TOP_DATA_H
#define TG_CLI_TOP_DATA_H

#include "cli/cli.h"
#include "lib/admin/holder.h"
#include "lib/core/contract.h"
#include "lib/read/read_usage_rows.h"
#include "lib/read/read_violations.h"

/*
 * What `tollgate top` shows, read again and again: how much each account sends (by how its counters
 * grow between two readings), the limits nearest to full, the last violations.
 *
 * The first two readings ask for every account, so that the first rates are those of all. Later
 * ones ask for at most ACCOUNTS_AT_ONCE: those that have sent within a minute, and in turn some of
 * the others, so that many idle ones cost little.
 *
 * Owner: top_data_open/close. What a reading gave lives until the next.
 */

enum top_value {
    TOP_MESSAGES, /* out and forward */
    TOP_RECIPIENTS,
    TOP_BYTES,
    TOP_IN,      /* messages */
    TOP_STOPPED, /* messages that limits stopped; in observe mode: would have */
    TOP_VALUES
};

struct top_account {
    struct slice name;
    bool is_known;              /* has been read before */
    int64_t read_ms, active_ms; /* monotonic */
    uint64_t value[TOP_VALUES];
    double rate[TOP_VALUES]; /* a second, between the last two readings */
};

struct top_limit {
    struct slice holder;
    struct usage_row row;
};

#define TOP_VIOLATIONS 100

struct top_data {
    struct cli *cli;
    struct setup setup;
    struct top_account *accounts, *nodes;
    size_t account_count, node_count, cursor;
    int64_t names_ms;  /* when the lists were read */
    unsigned readings; /* that came to an end; the second gives the first rates */
    double server[TOP_VALUES];
    struct top_account **senders; /* who has sent in the last interval, the busiest first */
    size_t sender_count;
    struct top_limit *limits; /* the fullest first */
    size_t limit_count;
    size_t holders_looked_at; /* whose limits were read */
    int64_t store_ms;         /* the store's clock when the windows were read; 0: none were */
    struct violation_list violations; /* the newest last */
    struct arena names, frame;
};

/* 0, or an exit code, said. */
int top_data_open(struct top_data *d, struct cli *cli) TG_NONNULL(1);
void top_data_close(struct top_data *d);
/* The first reading gives no rates yet. -1: *err; what was read before is gone. */
int top_data_read(struct top_data *d, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
