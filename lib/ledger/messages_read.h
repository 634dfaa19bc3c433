#ifndef TG_LEDGER_MESSAGES_READ_H
#define TG_LEDGER_MESSAGES_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/record.h"
#include "lib/sys/journal_search.h"
#include "lib/sys/settings.h"

/*
 * The counted messages of this node, out of its journal: one row for each account (or user) and
 * class that a message counts for. What the rows of an account, class and time add up to is what
 * the counters of that account, class and time say.
 *
 * Errors: EX_NOPERM and EX_NOINPUT where the journal cannot be read; those of journal_search.
 */

struct message_row {
    int64_t time_ms; /* at which it counts: its acceptance, of a held one its release */
    uint64_t number; /* of its record: rows of one message have the same */
    struct slice queue_id;
    enum leg_kind kind; /* LEG_MESSAGE: the whole message, of the node's account */
    struct slice account, user;
    uint64_t users; /* of the account in this class; `user` is the one of them, if it is one */
    uint64_t messages, recipients, bytes; /* as charged */
    uint64_t bounces;                     /* received with it */
    uint64_t size;                        /* the message's own bytes */
    enum priority priority;
    bool is_spam, was_held;
};

/* "in", "out", "local_sent" ...; LEG_MESSAGE: "message". */
const char *messages_read_class(enum leg_kind kind);

struct messages_query {
    const struct settings *settings;
    int64_t from_ms, to_ms; /* [from, to) */
    struct slice account;   /* as in counters (@NODE: the node's own); empty: all but the node's */
    struct slice user;      /* rows of this user in place of the accounts'; empty: accounts */
    bool users;             /* rows of all users in place of the accounts' */
    bool nobody;            /* then also those of accounts of which the message has no user */
    struct slice queue_id;  /* empty: any */
    int kind;               /* enum leg_kind; -1: any, for the node's account LEG_MESSAGE */
};

/* 0, or -1 with *err; the row's names live until it returns. */
typedef int messages_read_take(void *context, const struct message_row *row, struct err *err);

struct messages_known {
    struct journal_oldest oldest;
    uint64_t released; /* messages that were released in the time, and held before the oldest: they
                          have no rows */
};

int messages_read(const struct messages_query *query, messages_read_take *take, void *context,
                  struct messages_known *known, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4, 5);

#endif
