#include "lib/ledger/learn.h"

/* The hash was written by a run of this ledger, in a state that this ledger has. */
static bool is_own_history(const struct learn_self *self, const struct learn_found *found)
{
    if (found->run.len == 0) /* written by a version without runs */
        return found->stamp <= self->stamp_tried;
    return found->is_run_ours && found->number <= found->run_end;
}

static bool is_over(const struct learn_self *self, const struct learn_found *found)
{
    return found->is_stopped || found->silent_ms >= self->watch_ms ||
           (found->place.len > 0 && slice_equal(found->place, self->place));
}

static enum learn_verdict own_verdict(const struct learn_self *self,
                                      const struct learn_found *found)
{
    return found->stamp < self->stamp ? LEARN_LOST : LEARN_WRITE;
}

static enum learn_verdict stranger(const struct learn_self *self, const struct learn_found *found)
{
    int64_t patience_ms = self->watch_ms * (found->is_moving ? LEARN_PATIENCE : 1);

    if (found->is_stopped || found->silent_ms >= patience_ms)
        return LEARN_WRITE;
    return found->is_moving ? LEARN_RIVAL : LEARN_WAIT;
}

/* Of two ledgers out of one backup the first has gone on from our share, and has left it. */
static bool is_continued(const struct learn_self *self, const struct learn_found *found)
{
    return self->was_named && !self->is_writing && found->has_left;
}

enum learn_verdict learn_node(const struct learn_self *self, const struct learn_found *found)
{
    bool is_present = slice_equal(found->share_id, self->share_id);

    if (!found->is_there)
        return self->has_met ? LEARN_LOST : LEARN_WRITE;
    if (found->run.len > 0 && slice_equal(found->run, self->run))
        /* A stamp that this run has not given: a copy of the running machine gave it. */
        return found->stamp > self->stamp_tried ? LEARN_NEW_SHARE : own_verdict(self, found);
    if (!found->is_share_ours)
        return is_continued(self, found) ? LEARN_NEW_SHARE : stranger(self, found);
    if (!is_own_history(self, found))
        return is_present ? LEARN_NEW_SHARE : stranger(self, found);
    /* Redis is as an earlier run left it; this run has written the hash since. */
    if (self->is_writing)
        return LEARN_LOST;
    return is_over(self, found) ? own_verdict(self, found) : LEARN_WAIT;
}

enum learn_row learn_share(bool is_present, uint64_t found_number, uint64_t claim)
{
    if (is_present)
        return LEARN_UNDO;
    return found_number < claim ? LEARN_ADOPT : LEARN_LEAVE;
}

int64_t learn_aging(int64_t before_s, int64_t elapsed_ms, int64_t now_s, int64_t latest_s)
{
    int64_t aging_s = before_s + elapsed_ms * LEARN_AGING / 1000;

    if (aging_s > now_s)
        aging_s = now_s;
    return aging_s < latest_s ? aging_s : latest_s;
}
