#ifndef TG_LEDGER_VIOLATIONS_COPY_H
#define TG_LEDGER_VIOLATIONS_COPY_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"
#include "lib/redis/store.h"

/*
 * The part of lib/ledger/changes that is about violations: every node's ledger has a copy of the
 * newest LEDGER_VIOLATIONS_MAX of the stream tg:violations. Where that is found to have fewer, the
 * copy is put back into the streams of the accounts (violations.lua), and then into it: a stream
 * beside it is filled page by page, and takes its place (violations_swap.lua), so that nothing else
 * waits.
 *
 * Limits: an account's stream gets back at most its newest VIOLATIONS_OF_HOLDER entries.
 */

#define VIOLATIONS_OF_HOLDER 1000

enum violations_stage { VIOLATIONS_WHOLE, VIOLATIONS_ACCOUNTS, VIOLATIONS_ALL };

struct violations_copy {
    const char *prefix;
    struct ledger *ledger;
    struct store *store;
    struct arena *arena;         /* for the time of a call */
    enum violations_stage stage; /* of restoring: */
    struct buf after;            /* the last account whose stream is done */
    int64_t ms, seq;             /* of all: the last entry that the restored stream has */
    size_t restored;             /* entries that Redis was given back; the caller clears it */
};

/* Copies the next page of the stream. 1: there is more; 0; -1: the store or the ledger failed. */
int violations_copy_read(struct violations_copy *v, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Looks whether the stream has lost entries, and puts them back, one page a call. 1: there is
 * more to do; 0: nothing is missing; -1. */
int violations_copy_restore(struct violations_copy *v, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
