#include "milter/engine_connection.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/sys/log.h"
#include "milter/engine_event.h"
#include "milter/engine_loop.h"
#include "milter/engine_reply.h"

enum {
    READS_MAX = 16,         /* in one turn; then the others come */
    OUT_BYTES = 64 << 10,   /* of answers; then they are sent before more is taken */
    HELD_ROOM = 4096,       /* to read into, behind what is held */
    PACKET_MS = 300 * 1000, /* in which a packet comes to its end */
    MINUTE_MS = 60 * 1000,
};

/* --- answers
 * ------------------------------------------------------------------------------------------- */

static void reply(struct engine_connection *c, const struct session_action *a)
{
    char text[ENGINE_REPLY_BYTES + 1];
    char line[ENGINE_REPLY_BYTES + 32];
    int len;

    engine_reply_check(a);
    engine_reply_text(a->text, text);
    len = snprintf(line, sizeof line, "%s %s %s", a->code, a->enhanced, text);
    milter_server_answer(&c->server, &c->loop->out, MILTER_REPLY_CODE,
                         (struct slice){line, (size_t)len});
}

static void answer_kind(struct engine_connection *c, enum milter_reply kind)
{
    milter_server_answer(&c->server, &c->loop->out, kind, SLICE_NONE);
}

/* An MTA without a hold queue gets a 4xx: the message stays with its sender. */
static void hold(struct engine_connection *c, const char *reason)
{
    bool held = milter_server_hold(&c->server, &c->loop->out,
                                   slice_to(slice_str(reason), ENGINE_REPLY_BYTES));

    answer_kind(c, held ? MILTER_CONTINUE : MILTER_TEMPFAIL);
}

static void answer(struct engine_connection *c, const struct session_action *a)
{
    switch (a->what) {
    case SESSION_WAIT:
        c->is_waiting = true;
        break;
    case SESSION_HOLD:
        hold(c, a->text);
        break;
    case SESSION_REPLY:
        reply(c, a);
        break;
    default:
        answer_kind(c, MILTER_CONTINUE);
        break;
    }
}

/* --- events
 * ------------------------------------------------------------------------------------------- */

static void resumed(void *context, struct session_action a)
{
    struct engine_connection *c = context;

    c->is_waiting = false;
    c->active_ms = c->loop->now_ms;
    answer(c, &a);
    engine_connection_serve(c);
}

/* Made on demand: a session may follow another without a new negotiation. */
static bool session_make(struct engine_connection *c)
{
    const struct dispatch_waiter waiter = {c->loop->errands, resumed, c};

    if (c->session != NULL)
        return true;
    c->session = dispatch_enter(c->loop->shared->dispatch);
    if (c->session == NULL)
        return false;
    dispatch_wait_with(c->session, &waiter);
    dispatch_lead(c->session, (c->server.steps & MILTER_LEAD_SPACE) != 0);
    dispatch_unheard(c->session,
                     (struct dispatch_quiet){.mail = (c->server.steps & MILTER_NR_MAIL) != 0,
                                             .rcpt = (c->server.steps & MILTER_NR_RCPT) != 0});
    return true;
}

static void session_leave(struct engine_connection *c)
{
    dispatch_leave(c->session);
    c->session = NULL;
}

static void on_negotiated(struct engine_connection *c)
{
    struct dispatch_quiet quiet = dispatch_quiet(c->loop->shared->dispatch);

    milter_server_quiet(&c->server,
                        (quiet.mail ? MILTER_NR_MAIL : 0) | (quiet.rcpt ? MILTER_NR_RCPT : 0));
    if (session_make(c))
        milter_server_agree(&c->server, &c->loop->out);
    else
        c->is_ending = true;
}

/* Without a session (no negotiation came, or memory is out) mail is deferred. */
static void on_session_event(struct engine_connection *c, const struct milter_server_event *e)
{
    struct session_action a;

    if (c->session != NULL) {
        a = engine_event(c, e);
        answer(c, &a);
    } else if (e->what != MILTER_SERVER_HEADER) {
        answer_kind(c, MILTER_TEMPFAIL);
    }
}

static void on_bad(struct engine_connection *c, const char *problem)
{
    struct engine_shared *shared = c->loop->shared;
    uint64_t held_back;

    c->is_ending = true;
    if (log_limit_due(&shared->log_limit, slice_str(problem), c->loop->now_ms, MINUTE_MS,
                      &held_back))
        log_event(LOG_WARNING, "milter connection closed: not the milter protocol",
                  LOG_STR("problem", problem), LOG_NUM("more_before", held_back));
}

static void on_event(struct engine_connection *c, const struct milter_server_event *e)
{
    if (e->aborts && c->session != NULL)
        dispatch_abort(c->session);
    switch (e->what) {
    case MILTER_SERVER_MORE:
        break;
    case MILTER_SERVER_BAD:
        on_bad(c, e->problem);
        break;
    case MILTER_SERVER_NEGOTIATED:
        on_negotiated(c);
        break;
    case MILTER_SERVER_ABORT:
        if (c->session != NULL)
            dispatch_abort(c->session);
        break;
    case MILTER_SERVER_OTHER:
        answer_kind(c, MILTER_CONTINUE);
        break;
    case MILTER_SERVER_NEXT:
        session_leave(c);
        break;
    case MILTER_SERVER_QUIT:
        c->is_ending = true;
        break;
    default:
        if (e->what == MILTER_SERVER_CONNECT)
            (void)session_make(c);
        on_session_event(c, e);
        break;
    }
}

/* --- writing
 * ------------------------------------------------------------------------------------------- */

/* How much of it the socket took; -1: it is dead. */
static ssize_t send_some(struct engine_connection *c, struct slice bytes)
{
    ssize_t sent;

    do
        sent = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (sent > 0)
        c->active_ms = c->loop->now_ms;
    return sent;
}

static void watch_writes(struct engine_connection *c, bool on)
{
    if (c->watches_writes == on)
        return;
    c->watches_writes = on;
    engine_loop_watch(c->loop, c, on);
}

/* What the socket did not take is kept, and nothing is read until it has. */
static void send_answers(struct engine_connection *c)
{
    struct buf *out = &c->loop->out;
    ssize_t sent;

    if (out->len == 0)
        return;
    sent = 0;
    if (c->unsent.len == 0)
        sent = out->failed ? -1 : send_some(c, buf_slice(out));
    if (sent < 0) {
        c->is_ending = true;
    } else if ((size_t)sent < out->len) {
        engine_loop_buf_take(c->loop, &c->unsent);
        buf_add(&c->unsent, slice_from(buf_slice(out), (size_t)sent));
        watch_writes(c, true);
    }
    buf_reset(out);
}

static void send_unsent(struct engine_connection *c)
{
    ssize_t sent = c->unsent.failed ? -1 : send_some(c, buf_slice(&c->unsent));

    if (sent < 0) {
        buf_reset(&c->unsent);
        c->is_ending = true;
        return;
    }
    c->unsent.len -= (size_t)sent;
    memmove(c->unsent.data, c->unsent.data + sent, c->unsent.len);
    if (c->unsent.len > 0)
        return;
    engine_loop_buf_give(c->loop, &c->unsent);
    watch_writes(c, false);
}

/* --- reading
 * ------------------------------------------------------------------------------------------- */

static bool is_between(const struct engine_connection *c)
{
    return c->server.command == '\0' && !milter_server_in_mail(&c->server);
}

static bool is_yielding(const struct engine_connection *c)
{
    return atomic_load_explicit(&c->loop->shared->is_yielding, memory_order_relaxed);
}

/* Nothing more may be taken now. */
static bool is_stuck(const struct engine_connection *c)
{
    return c->is_waiting || c->is_ending || c->unsent.len > 0 || (is_yielding(c) && is_between(c));
}

/* Takes events off the front of *in until they end, or nothing more may be taken now. */
static void take(struct engine_connection *c, struct slice *in)
{
    struct milter_server_event e;

    while (!is_stuck(c)) {
        milter_server_take(&c->server, in, &e);
        if (e.what == MILTER_SERVER_MORE)
            break;
        on_event(c, &e);
        if (c->loop->out.len > OUT_BYTES)
            send_answers(c);
    }
}

/* True: something was read. */
static bool read_into(struct engine_connection *c, char *room, size_t size, size_t *len)
{
    ssize_t got;

    do
        got = recv(c->fd, room, size, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->can_read = false;
        return false;
    }
    if (got <= 0) {
        c->is_ending = true;
        return false;
    }
    if ((size_t)got < size && !c->has_hung_up)
        c->can_read = false;
    c->active_ms = c->loop->now_ms;
    *len = (size_t)got;
    return true;
}

static void read_fresh(struct engine_connection *c)
{
    struct slice in = {c->loop->in, 0};

    if (!read_into(c, c->loop->in, ENGINE_READ_BYTES, &in.len))
        return;
    take(c, &in);
    if (in.len == 0)
        return;
    engine_loop_buf_take(c->loop, &c->held);
    buf_add(&c->held, in);
    if (c->held.failed)
        c->is_ending = true;
}

static void take_held(struct engine_connection *c)
{
    struct slice in = buf_slice(&c->held);

    take(c, &in);
    if (in.len > 0 && in.len < c->held.len)
        memmove(c->held.data, in.ptr, in.len);
    c->held.len = in.len;
    if (in.len == 0)
        engine_loop_buf_give(c->loop, &c->held);
}

/* Behind the packet that has begun, as much as it lacks. */
static void read_more(struct engine_connection *c)
{
    size_t whole = milter_server_packet(buf_slice(&c->held)), len;
    size_t want = whole > c->held.len ? whole - c->held.len : 0;
    char *room;

    if (want > ENGINE_READ_BYTES)
        want = ENGINE_READ_BYTES;
    if (want < HELD_ROOM)
        want = HELD_ROOM;
    room = buf_space(&c->held, want);
    if (room == NULL) {
        c->is_ending = true;
    } else if (read_into(c, room, want, &len)) {
        c->held.len += len;
        take_held(c);
    }
}

static void note_packet(struct engine_connection *c)
{
    bool has_begun = c->held.len > 0 || c->server.command != '\0';

    if (!has_begun || c->is_waiting)
        c->packet_ms = 0;
    else if (c->packet_ms == 0)
        c->packet_ms = c->loop->now_ms;
}

/* --- life
 * ------------------------------------------------------------------------------------------- */

void engine_connection_begin(struct engine_connection *c, struct engine_loop *loop, int fd)
{
    c->loop = loop;
    c->fd = fd;
    c->can_read = true;
    c->has_hung_up = c->is_ready = c->is_waiting = c->is_ending = c->watches_writes = false;
    c->session = NULL;
    c->active_ms = loop->now_ms;
    c->packet_ms = 0;
}

void engine_connection_serve(struct engine_connection *c)
{
    int reads = 0;

    if (c->fd < 0)
        return;
    if (c->unsent.len > 0)
        send_unsent(c);
    if (c->held.len > 0 && !is_stuck(c))
        take_held(c);
    while (c->can_read && !is_stuck(c) && reads++ < READS_MAX) {
        if (c->held.len > 0)
            read_more(c);
        else
            read_fresh(c);
    }
    send_answers(c);
    note_packet(c);
    if (c->is_ending && c->unsent.len == 0)
        engine_connection_end(c);
    else if (is_yielding(c))
        engine_connection_yield(c);
    if (c->fd >= 0 && c->can_read && !is_stuck(c))
        engine_loop_ready(c->loop, c);
}

bool engine_connection_is_late(const struct engine_connection *c, int64_t now_ms)
{
    int64_t timeout_ms = c->loop->shared->timeout_ms;

    if (c->is_waiting)
        return false;
    if (now_ms - c->active_ms >= timeout_ms)
        return true;
    return c->packet_ms != 0 &&
           now_ms - c->packet_ms >= (timeout_ms < PACKET_MS ? timeout_ms : PACKET_MS);
}

/* Its descriptor is closed, or another's. */
static void over(struct engine_connection *c)
{
    c->fd = -1;
    session_leave(c);
    engine_loop_buf_give(c->loop, &c->held);
    engine_loop_buf_give(c->loop, &c->unsent);
    milter_server_reset(&c->server);
    engine_loop_over(c->loop, c);
}

void engine_connection_end(struct engine_connection *c)
{
    if (c->fd < 0)
        return;
    (void)close(c->fd);
    over(c);
}

void engine_connection_yield(struct engine_connection *c)
{
    if (c->fd < 0 || c->is_waiting || c->is_ending || c->unsent.len > 0 || !is_between(c))
        return;
    dispatch_hand_over(c->session, c->loop->now_ms);
    if (!engine_handover_give(&c->loop->shared->handover, c->fd, &c->server, c->session,
                              buf_slice(&c->held))) {
        dispatch_hand_over(c->session, 0);
        return;
    }
    engine_loop_forget(c->loop, c);
    over(c);
}

/* The session learns who the client is; the MTA has had its answer to that. */
void engine_connection_adopt(struct engine_connection *c, struct slice session)
{
    struct milter_server_event e;

    if (!c->server.is_negotiated || !session_make(c))
        return;
    if (!milter_server_peer(&c->server, &e))
        return;
    (void)engine_event(c, &e);
    (void)!dispatch_restore(c->session, &session);
}

void engine_connection_fini(struct engine_connection *c)
{
    milter_server_fini(&c->server);
    buf_fini(&c->held);
    buf_fini(&c->unsent);
}
