#include "milter/action.h"
#include "milter/dispatch_work.h"

/*
 * MAIL and RCPT. What refuses a message there, and is not heard there, waits for the next event
 * that is answered: RCPT, or the end of message. Mail that does not come by SMTP waits for its end.
 */

void dispatch_unheard(struct dispatch_connection *c, struct dispatch_quiet which)
{
    c->quiet = which;
}

static struct session_action say(struct dispatch_connection *c, struct session_action a,
                                 bool unheard)
{
    if (a.what == SESSION_REPLY && unheard) {
        c->refusal = a;
        a = action_continue();
    }
    return dispatch_finish(c, a);
}

/* Checked at MAIL, so that the client need not send the body first. */
static bool journal_is_full(struct dispatch *g, const struct snapshot *snapshot)
{
    return snapshot->settings->ledger.on_full == ON_FAILURE_DEFER &&
           journal_check(g->journal, NULL) != 0;
}

static bool has_nothing_to_refuse(struct dispatch *g, const struct snapshot *snapshot)
{
    return snapshot->hosted != NULL && !atomic_load(&g->draining) &&
           !journal_is_full(g, snapshot) && !limiter_may_refuse(&g->limiter, snapshot->rules);
}

struct dispatch_quiet dispatch_quiet(struct dispatch *g)
{
    struct dispatch_quiet quiet = {.mail = true};

    if (dispatch_is_open(g)) {
        struct snapshot *snapshot = dispatch_snapshot(g);

        quiet.rcpt = has_nothing_to_refuse(g, snapshot);
        snapshot_drop(snapshot);
    }
    (void)atomic_fetch_sub(&g->busy, 1);
    return quiet;
}

static void drop_site(void *snapshot)
{
    snapshot_drop(snapshot);
}

static struct session_action mail(struct dispatch_connection *c, struct slice path,
                                  const struct session_macros *macros)
{
    struct dispatch *g = c->dispatch;
    struct session_world w;
    struct snapshot *snapshot;

    session_abort(c->session);
    if (atomic_load(&g->draining))
        return dispatch_stopping(c);
    snapshot = dispatch_snapshot(g);
    if (journal_is_full(g, snapshot)) {
        snapshot_drop(snapshot);
        return action_no_room();
    }
    c->snapshot = snapshot;
    w = (struct session_world){.hosted = snapshot->hosted,
                               .release = drop_site,
                               .owner = snapshot,
                               .limits = g->limiter.throttle != NULL};
    return session_mail(c->session, &w, path, macros);
}

struct session_action dispatch_mail(struct dispatch_connection *c, struct slice path,
                                    const struct session_macros *macros)
{
    bool is_open = dispatch_begin(c);

    dispatch_unsay(c);
    return say(c, is_open ? mail(c, path, macros) : dispatch_stopping(c), c->quiet.mail);
}

static enum session_looks looks(const struct dispatch_connection *c)
{
    if (c->quiet.rcpt)
        return SESSION_LOOKS_NONE;
    return limiter_has_room(&c->dispatch->limiter, c->snapshot->rules) ? SESSION_LOOKS_BOUNCES
                                                                       : SESSION_LOOKS_ALL;
}

static struct session_action rcpt(struct dispatch_connection *c, struct slice path,
                                  const struct session_macros *macros)
{
    if (dispatch_is_refused(c))
        return c->refusal;
    if (session_is_open(c->session)) /* and so has the snapshot */
        session_look_at(c->session, looks(c));
    return dispatch_settle(c, session_rcpt(c->session, path, macros));
}

struct session_action dispatch_rcpt(struct dispatch_connection *c, struct slice path,
                                    const struct session_macros *macros)
{
    bool is_open = dispatch_begin(c), unheard = c->quiet.rcpt || !session_is_smtp(c->session);

    return say(c, is_open ? rcpt(c, path, macros) : dispatch_stopping(c), unheard);
}
