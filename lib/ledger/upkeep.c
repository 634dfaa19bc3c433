#include "lib/ledger/upkeep.h"

#include "lib/sys/clock.h"
#include "lib/sys/journal_index.h"
#include "lib/sys/log.h"

#define SYNC_EVERY_MS 60000

void upkeep_trim(struct upkeep *u, const struct journal_keep *keep)
{
    struct journal_position position = ledger_meta(u->ledger)->position;
    int64_t now_ms = clock_monotonic_ms();
    struct err e;
    int rc;

    if (position.number == u->synced.number ||
        (position.segment == u->synced.segment && now_ms < u->sync_next_ms))
        return;
    rc = ledger_sync(u->ledger, &e);
    if (rc == 1 && journal_trim(u->journal_dir, position, keep, &e) < 0)
        rc = -1;
    if (rc < 0)
        log_problem_raise(u->problem, &e, now_ms);
    if (rc == 1)
        u->synced = position;
    u->sync_next_ms = now_ms + SYNC_EVERY_MS;
}

void upkeep_index(struct upkeep *u)
{
    uint64_t before = ledger_meta(u->ledger)->position.segment;
    struct err e;

    if (u->index_from < before &&
        journal_index_step(u->journal_dir, &u->index_from, before, &e) < 0)
        log_event(LOG_WARNING, "no index of a segment of the journal", LOG_ERROR("error", &e));
}
