#include "milter/dispatch.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/mutex.h"
#include "milter/action.h"
#include "milter/dispatch_work.h"

enum {
    MESSAGE_BYTES = 64 << 20, /* of memory; enough for some 60,000 recipients */
    MINUTE_MS = 60 * 1000,
};

/* Before a session has the snapshot. */
static void names_attach(struct dispatch *g, struct snapshot *snapshot)
{
    name_quota_set(&g->names, (uint64_t)snapshot->settings->accounting.names_max);
    if (snapshot->hosted != NULL)
        name_quota_attach(&g->names, snapshot->hosted);
}

/* Before any thread has it. */
void dispatch_init(struct dispatch *g, const struct dispatch_parts *parts) TG_NO_THREAD_SAFETY
{
    memset(g, 0, sizeof *g);
    mutex_init(&g->lock);
    log_limit_init(&g->log_limit);
    g->journal = parts->journal;
    g->snapshot = parts->snapshot;
    name_quota_init(&g->names, 0);
    names_attach(g, parts->snapshot);
    g->limiter.throttle = parts->throttle;
    g->limiter.violations = parts->violations;
    g->limiter.log_limit = &g->log_limit;
    meter_init(&g->meter);
    g->sessions_max = parts->sessions_max;
    g->message_bytes = MESSAGE_BYTES;
    atomic_init(&g->lead_kept, true);
}

void dispatch_snapshot_swap(struct dispatch *g, struct snapshot *snapshot)
{
    struct snapshot *old;

    names_attach(g, snapshot);
    dispatch_lock_take(&g->lock);
    old = g->snapshot;
    g->snapshot = snapshot;
    dispatch_lock_give(&g->lock);
    snapshot_drop(old);
}

void dispatch_drain(struct dispatch *g)
{
    atomic_store(&g->draining, true);
}

bool dispatch_close(struct dispatch *g, int64_t wait_ms)
{
    int64_t until = clock_monotonic_ms() + wait_ms;

    atomic_store(&g->closed, true);
    while (atomic_load(&g->busy) > 0) {
        if (clock_monotonic_ms() >= until)
            return false;
        clock_sleep_ms(5);
    }
    return true;
}

/* Under the dispatch's lock: at its end by the connection, at a clean stop for all of them. */
static void slot_release(struct dispatch_connection *c)
{
    int slot = atomic_exchange(&c->slot, -1);

    if (slot >= 0)
        journal_slot_release(c->dispatch->journal, slot);
}

/* Its session is over, here at least. True: it is time to write. */
static bool meter_connection(struct dispatch_connection *c)
{
    int64_t to_ms = c->handed_ms > 0 ? c->handed_ms : clock_monotonic_ms();

    return c->counted_session && meter_session(&c->dispatch->meter, session_visited(c->session),
                                               !c->is_continued, c->started_ms, to_ms);
}

void dispatch_detach(struct dispatch *g, bool clean)
{
    dispatch_lock_take(&g->lock);
    for (struct dispatch_connection *c = g->connections; c != NULL; c = c->next) {
        (void)meter_connection(c);
        if (clean)
            slot_release(c);
    }
    g->detached = true;
    dispatch_lock_give(&g->lock);
}

void dispatch_tick(struct dispatch *g)
{
    struct err err;
    uint64_t held_back;

    if (meter_write(&g->meter, g->journal, &err) != 0 &&
        log_limit_due(&g->log_limit, SLICE("meter"), clock_monotonic_ms(), MINUTE_MS, &held_back))
        log_event(LOG_WARNING, "ended sessions are not counted yet", LOG_STR("error", err.text),
                  LOG_NUM("more_before", held_back));
}

/* --- connections
 * ---------------------------------------------------------------------------------- */

struct dispatch_connection *dispatch_enter(struct dispatch *g)
{
    struct dispatch_connection *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->session = session_new(g->message_bytes);
    if (c->session == NULL) {
        free(c);
        return NULL;
    }
    c->dispatch = g;
    atomic_init(&c->slot, -1);
    c->lead = atomic_load(&g->lead_kept) ? 0 : 1;
    dispatch_lock_take(&g->lock);
    c->next = g->connections;
    if (c->next != NULL)
        c->next->previous = c;
    g->connections = c;
    dispatch_lock_give(&g->lock);
    return c;
}

static void unlist(struct dispatch_connection *c)
{
    struct dispatch *g = c->dispatch;

    dispatch_lock_take(&g->lock);
    if (!g->detached)
        slot_release(c);
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        g->connections = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    dispatch_lock_give(&g->lock);
}

static void loop_run(void *loop)
{
    throttle_loop_run(loop);
}

static void loop_gather(void *loop, bool on)
{
    throttle_loop_gather(loop, on);
}

static void loop_free(void *loop)
{
    throttle_loop_free(loop);
}

/* The throttle's trips over one connection; in a cluster threads make them. */
static int loop_add(struct dispatch *g, struct errands *e, struct err *err)
{
    struct snapshot *snapshot = dispatch_snapshot(g);
    struct throttle_loop *loop = NULL;
    bool suits = g->limiter.throttle != NULL && pipeline_suits(snapshot->settings);

    if (suits)
        loop = throttle_loop_new(g->limiter.throttle, snapshot->settings, errands_fd(e), e, err);
    if (loop != NULL)
        errands_serve(e, &(struct errands_guest){loop_run, loop_gather, loop_free, loop});
    snapshot_drop(snapshot);
    return suits && loop == NULL ? -1 : 0;
}

struct errands *dispatch_errands_new(struct dispatch *g, struct err *err)
{
    struct errands *e = errands_new(err);

    if (e == NULL || loop_add(g, e, err) == 0)
        return e;
    (void)!errands_free(e, 0);
    return NULL;
}

void dispatch_lead(struct dispatch_connection *c, bool kept)
{
    c->lead = kept ? 0 : 1;
    atomic_store(&c->dispatch->lead_kept, kept);
}

/* --- events
 * ---------------------------------------------------------------------------------------- */

static void log_many(struct dispatch *g, unsigned sessions)
{
    if (g->sessions_max > 0 && sessions > g->sessions_max - g->sessions_max / 5 &&
        log_limit_due(&g->log_limit, SLICE("sessions"), clock_monotonic_ms(), MINUTE_MS, NULL))
        log_event(LOG_WARNING,
                  "sessions near the limit of open files: raise LimitNOFILE (ulimit -n)",
                  LOG_NUM("sessions", sessions), LOG_NUM("limit", g->sessions_max));
}

static struct session_action refuse(struct dispatch_connection *c)
{
    dispatch_unsay(c);
    return dispatch_finish(c, dispatch_stopping(c));
}

struct session_action dispatch_connect(struct dispatch_connection *c,
                                       const struct session_client *client,
                                       const struct session_macros *macros)
{
    if (!dispatch_begin(c))
        return refuse(c);
    if (!c->counted_session)
        log_many(c->dispatch, atomic_fetch_add(&c->dispatch->sessions, 1) + 1);
    dispatch_unsay(c);
    (void)meter_connection(c); /* one that went before on the same connection */
    c->counted_session = true;
    c->is_continued = false;
    c->started_ms = clock_monotonic_ms();
    return dispatch_finish(c, session_connect(c->session, client, macros));
}

struct session_action dispatch_helo(struct dispatch_connection *c)
{
    if (!dispatch_begin(c))
        return refuse(c);
    dispatch_unsay(c);
    return dispatch_finish(c, session_helo(c->session));
}

void dispatch_header(struct dispatch_connection *c, struct slice name, struct slice value)
{
    session_header(c->session, name, value, c->lead);
}

void dispatch_body(struct dispatch_connection *c, size_t bytes)
{
    session_body(c->session, bytes);
}

struct session_action dispatch_end(struct dispatch_connection *c,
                                   const struct session_macros *macros)
{
    struct session_action refusal = c->refusal;

    if (!dispatch_begin(c))
        return refuse(c);
    if (!dispatch_is_refused(c))
        return dispatch_finish(c, dispatch_settle(c, session_end(c->session, macros)));
    dispatch_unsay(c);
    session_abort(c->session);
    return dispatch_finish(c, refusal);
}

void dispatch_abort(struct dispatch_connection *c)
{
    (void)dispatch_begin(c);
    dispatch_unsay(c);
    session_abort(c->session);
    (void)dispatch_finish(c, action_continue());
}

void dispatch_hand_over(struct dispatch_connection *c, int64_t now_ms)
{
    if (c != NULL)
        c->handed_ms = now_ms;
}

void dispatch_save(const struct dispatch_connection *c, struct buf *out)
{
    bool has_begun = c != NULL && c->counted_session;
    uint64_t handed_ms = has_begun ? (uint64_t)c->handed_ms : 0;

    buf_add_u32(out, (uint32_t)(handed_ms >> 32));
    buf_add_u32(out, (uint32_t)handed_ms);
    if (has_begun)
        visited_save(session_visited(c->session), out);
}

/* The clock is the machine's: it goes on from process to process. */
bool dispatch_restore(struct dispatch_connection *c, struct slice *in)
{
    uint32_t high, low;
    int64_t handed_ms;

    if (!slice_take_u32(in, &high) || !slice_take_u32(in, &low))
        return false;
    handed_ms = (int64_t)((uint64_t)high << 32 | low);
    if (handed_ms <= 0 || handed_ms > c->started_ms || !session_visited_restore(c->session, in))
        return false;
    c->started_ms = handed_ms;
    c->is_continued = true;
    return true;
}

static void connection_end(struct dispatch_connection *c, bool is_open)
{
    struct dispatch *g = c->dispatch;

    if (is_open && meter_connection(c))
        dispatch_tick(g);
    if (c->counted_session)
        (void)atomic_fetch_sub(&g->sessions, 1);
    unlist(c); /* before the session ends: a stop looks at those that are listed */
    session_close(c->session);
    (void)dispatch_finish(c, action_continue());
    session_free(c->session);
    free(c);
}

static void call_ended(struct dispatch_connection *c, struct session_action a)
{
    if (c->is_left)
        connection_end(c, true); /* and the call with it */
    else
        c->waiter.resumed(c->waiter.context, dispatch_finish(c, a));
}

void dispatch_wait_with(struct dispatch_connection *c, const struct dispatch_waiter *waiter)
{
    c->waiter = *waiter;
    c->call_ended = call_ended;
}

void dispatch_leave(struct dispatch_connection *c)
{
    if (c == NULL)
        return;
    if (c->is_waiting)
        c->is_left = true; /* the errand still uses the session */
    else
        connection_end(c, dispatch_begin(c));
}
