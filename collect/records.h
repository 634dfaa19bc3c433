#ifndef TG_COLLECT_RECORDS_H
#define TG_COLLECT_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "collect/collect_db.h"
#include "collect/sink.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * The refusals and anomalies of the collector's ledger, read back by their ids, and how far each
 * has been dealt with. Ids grow and are never used again.
 *
 * Owner: records_new/records_free.  Threads: the ledger's.  Errors: those of the ledger.
 */

enum records_list { RECORDS_REFUSALS, RECORDS_ANOMALIES };
#define RECORDS_LISTS (RECORDS_ANOMALIES + 1)

/* An id up to which something has been done; 0: nothing yet. */
enum records_mark {
    RECORDS_FOREIGN_REFUSALS,  /* written to Redis by the ledger that this one is a copy of */
    RECORDS_FOREIGN_ANOMALIES, /* likewise */
    RECORDS_TOLD,              /* anomalies: logged, and given to the notify program */
    RECORDS_ACTED              /* anomalies: their limit is set */
};

struct records_row {
    int64_t id;
    const struct refusal *refusal; /* the one of the list that is read */
    const struct anomaly *anomaly;
};
typedef int records_take(void *context, const struct records_row *row, struct err *err);

struct records;

void records_free(struct records *r); /* NULL is allowed; before the ledger is closed */
struct records *records_new(struct collect_db *db, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The id of the last one; 0: there are none. */
int records_last(struct records *r, enum records_list list, int64_t *id,
                 struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* Those from that id on, in order, at most `limit`. `take` returns 0, 1 to stop, or -1 with *err;
 * what it is given lives for the call. */
int records_read(struct records *r, enum records_list list, int64_t from_id, size_t limit,
                 records_take *take, void *context, struct err *err) TG_MUST_USE TG_NONNULL(1, 5);

int records_mark_get(struct records *r, enum records_mark mark, int64_t *id,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* In a transaction of its own. */
int records_mark_set(struct records *r, enum records_mark mark, int64_t id,
                     struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Within a transaction: what is there now was written to Redis by another ledger. */
int records_copied(struct records *r, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
