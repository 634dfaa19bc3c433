#ifndef TG_CLI_RECONCILE_H
#define TG_CLI_RECONCILE_H

#include "cli/range.h"
#include "lib/admin/setup.h"
#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/findings.h"
#include "lib/core/record.h"

/*
 * `tollgate reconcile`: this node's journal compared with its mail log.
 *
 * A finding has effects: what has to be added to (or taken from) the figures of which accounts.
 */

struct reconcile_effect {
    struct reconcile_effect *next;
    struct slice account;           /* the node's: @NODE */
    int64_t amounts[COUNTER_COUNT]; /* to be added */
};

struct reconcile_finding {
    const struct finding *found;
    struct reconcile_effect *effects;
    bool is_dropped; /* the record has it already, or it is none of the domain asked for */
};

struct reconcile {
    struct cli *cli;
    struct setup setup;
    struct range range;
    struct slice domain; /* canonical; empty: all */
    struct slice node_account;
    struct findings findings;
    struct reconcile_finding *list;
    size_t count;
    struct arena arena, scratch;
};

/* Reads journal, ledger and log, and compares; fills findings. */
int reconcile_read(struct reconcile *w, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Fills list: what each finding changes, by the records that it is about. */
int reconcile_effects(struct reconcile *w, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Writes them down as adjustments; *written: how many. Asked twice, they are there once. */
int reconcile_adjust(struct reconcile *w, size_t *written, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

/* Tells Redis what this run has found, for monitoring: in the hash of the node's collector. */
int reconcile_tell(struct reconcile *w, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* How many there are of a kind. */
size_t reconcile_count(const struct reconcile *w, enum finding_kind kind) TG_NONNULL(1);

/* Steps through the journal's records, the oldest first; `take` returns 0, 1 to end, or -1. */
int reconcile_records(struct reconcile *w,
                      int (*take)(struct reconcile *w, const struct record *r, void *context,
                                  struct err *err),
                      void *context, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
