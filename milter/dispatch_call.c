#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "milter/action.h"
#include "milter/dispatch_work.h"

/* A call of an engine: its begin and its end. */

enum { MINUTE_MS = 60 * 1000 };

bool dispatch_is_open(struct dispatch *g)
{
    (void)atomic_fetch_add(&g->busy, 1);
    return !atomic_load(&g->closed);
}

bool dispatch_begin(struct dispatch_connection *c)
{
    int slot;

    TG_ASSERT(!c->is_waiting);
    if (!dispatch_is_open(c->dispatch))
        return false;
    slot = atomic_load(&c->slot);
    if (slot >= 0) /* this event proves that the MTA received the last answer */
        journal_slot_clear(c->dispatch->journal, slot);
    return true;
}

struct snapshot *dispatch_snapshot(struct dispatch *g)
{
    struct snapshot *s;

    dispatch_lock_take(&g->lock);
    s = snapshot_hold(g->snapshot);
    dispatch_lock_give(&g->lock);
    return s;
}

bool dispatch_is_refused(const struct dispatch_connection *c)
{
    return c->refusal.what == SESSION_REPLY;
}

void dispatch_unsay(struct dispatch_connection *c)
{
    c->refusal.what = SESSION_CONTINUE;
}

static void note_open(struct dispatch_connection *c)
{
    bool open = session_is_open(c->session) || dispatch_is_refused(c);

    if (open && !c->counted_open)
        (void)atomic_fetch_add(&c->dispatch->open_messages, 1);
    if (!open && c->counted_open)
        (void)atomic_fetch_sub(&c->dispatch->open_messages, 1);
    c->counted_open = open;
}

/* Mail deferred for a cause on our side: logged once a minute per cause. */
static void log_deferred(struct dispatch *g, const char *why)
{
    uint64_t held_back;

    if (why != NULL &&
        log_limit_due(&g->log_limit, slice_str(why), clock_monotonic_ms(), MINUTE_MS, &held_back))
        log_event(LOG_WARNING, "mail deferred", LOG_STR("why", why),
                  LOG_NUM("more_before", held_back));
}

struct session_action dispatch_finish(struct dispatch_connection *c, struct session_action a)
{
    if (a.what == SESSION_WAIT)
        return a;
    if (a.what == SESSION_REPLY)
        log_deferred(c->dispatch, a.why);
    note_open(c);
    (void)atomic_fetch_sub(&c->dispatch->busy, 1);
    return a;
}

struct session_action dispatch_stopping(struct dispatch_connection *c)
{
    session_abort(c->session);
    return action_refuse("451", "4.3.2",
                         "Mail accounting is being restarted, try again in a minute",
                         "tollgated is stopping");
}
