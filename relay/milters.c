#include "relay/milters.h"

#include <stdlib.h>

#include "lib/sys/log.h"

#define CONTENT_TIMES                                                                              \
    10 /* as Postfix allows ten times the time of a command at the end of a message */

void milters_init(struct milters *m, const struct settings *s)
{
    *m = (struct milters){.settings = s};
    for (size_t i = 0; i < s->relay.milters.count && i < MILTERS_MAX; i++) {
        const char *where = s->relay.milters.items[i];

        if (slice_equal(slice_str(where), SLICE("tollgated")))
            where = s->milter.socket;
        m->slots[m->count++].where = where;
    }
}

static void slot_close(struct milter_slot *slot)
{
    if (slot->is_open)
        milter_link_close(&slot->link);
    slot->is_open = false;
}

void milters_fini(struct milters *m)
{
    for (size_t i = 0; i < m->count; i++)
        slot_close(&m->slots[i]);
    m->count = 0;
}

static void slot_lost(struct milter_slot *slot, const struct err *err)
{
    log_event(LOG_WARNING, "milter unavailable", LOG_STR("milter", slot->where),
              LOG_ERROR("error", err));
    slot_close(slot);
    slot->is_away = true;
}

/* --- answers --------------------------------------------------------------------------------- */

static bool refuse(struct smtp_reply *r, const char *text)
{
    smtp_reply_set(r, "%s", text);
    return false;
}

/* Replaces the answer of a milter that is unavailable. */
static bool default_action(struct milters *m, struct smtp_reply *r)
{
    switch (m->settings->relay.milter_default) {
    case MILTER_DEFAULT_ACCEPT:
        return true;
    case MILTER_DEFAULT_QUARANTINE:
        m->quarantine = true;
        return true;
    case MILTER_DEFAULT_REJECT:
        return refuse(r, "550 5.7.1 Command rejected");
    case MILTER_DEFAULT_TEMPFAIL:
        break;
    }
    return refuse(r, "451 4.7.1 Service unavailable - try again later");
}

/* Applies a final answer. True: go on. */
static bool verdict(struct milters *m, const struct milter_answer *a, struct smtp_reply *r)
{
    switch (a->kind) {
    case MILTER_DISCARD:
        m->discard = true;
        return true;
    case MILTER_REJECT:
        return refuse(r, "550 5.7.1 Command rejected");
    case MILTER_TEMPFAIL:
        return refuse(r, "451 4.7.1 Service unavailable - try again later");
    case MILTER_REPLY_CODE:
        smtp_reply_copy(r, a->text);
        r->close = a->code == 421;
        return false;
    case MILTER_SHUTDOWN:
    case MILTER_CONN_FAIL:
        r->close = true;
        return refuse(r, "421 4.3.2 Service not available, closing connection");
    default:
        return true;
    }
}

/* After an event was put into the slot's client: waits for the milter's answer. */
static bool ask(struct milters *m, struct milter_slot *slot, bool is_mail, struct smtp_reply *r)
{
    struct milter_answer a;
    struct err err = {.code = 0};
    int got = milter_link_next(&slot->link, m->settings->relay.milter_timeout_ms, &a, &err);

    if (got < 0) {
        slot_lost(slot, &err);
        return !is_mail || default_action(m, r);
    }
    return got == 0 || verdict(m, &a, r);
}

/* --- events ---------------------------------------------------------------------------------- */

struct milters_event {
    char kind;
    bool is_mail; /* within a transaction: the default action applies */
    const struct milter_peer *peer;
    const struct smtp_path *path;
    struct slice text;
};

static void put_event(struct milter_client *c, const struct milters_event *e)
{
    switch (e->kind) {
    case MILTER_CONNECT:
        (void)milter_client_connect(c, e->peer);
        break;
    case MILTER_HELO:
        (void)milter_client_helo(c, e->text);
        break;
    case MILTER_MAIL:
        (void)milter_client_mail(c, e->path->text, e->path->params, e->path->param_count);
        break;
    case MILTER_RCPT:
        (void)milter_client_rcpt(c, e->path->text, e->path->params, e->path->param_count);
        break;
    case MILTER_DATA:
        (void)milter_client_data(c);
        break;
    default:
        (void)milter_client_unknown(c, e->text);
        break;
    }
}

/* All milters in turn, until one refuses or discards. */
static bool send_event(struct milters *m, const struct milters_event *e, struct smtp_reply *r)
{
    for (size_t i = 0; i < m->count && !m->discard; i++) {
        struct milter_slot *slot = &m->slots[i];

        if (slot->is_away) {
            if (e->is_mail && !default_action(m, r))
                return false;
            continue;
        }
        slot->link.client.macros = m->macros;
        put_event(&slot->link.client, e);
        if (!ask(m, slot, e->is_mail, r))
            return false;
    }
    return true;
}

static void open_all(struct milters *m)
{
    for (size_t i = 0; i < m->count; i++) {
        struct milter_slot *slot = &m->slots[i];
        struct err err = {.code = 0};

        slot->is_open = true;
        if (milter_link_open(&slot->link, slot->where, m->settings->relay.milter_timeout_ms,
                             &err) != 0)
            slot_lost(slot, &err);
    }
}

bool milters_connect(struct milters *m, const struct milter_peer *peer, struct smtp_reply *r)
{
    struct milters_event e = {.kind = MILTER_CONNECT, .peer = peer};

    open_all(m);
    return send_event(m, &e, r);
}

bool milters_helo(struct milters *m, struct slice name, struct smtp_reply *r)
{
    struct milters_event e = {.kind = MILTER_HELO, .text = name};

    return send_event(m, &e, r);
}

bool milters_mail(struct milters *m, const struct smtp_path *path, struct smtp_reply *r)
{
    struct milters_event e = {.kind = MILTER_MAIL, .is_mail = true, .path = path};

    return send_event(m, &e, r);
}

bool milters_rcpt(struct milters *m, const struct smtp_path *path, struct smtp_reply *r)
{
    struct milters_event e = {.kind = MILTER_RCPT, .is_mail = true, .path = path};

    return send_event(m, &e, r);
}

void milters_rejected_rcpt(struct milters *m, const struct smtp_path *path)
{
    struct milters_event e = {.kind = MILTER_RCPT, .path = path};
    struct smtp_reply ignored = {.close = false};

    for (size_t i = 0; i < m->count && !m->discard; i++) {
        struct milter_slot *slot = &m->slots[i];

        if (slot->is_away || !milter_client_wants_rejected(&slot->link.client))
            continue;
        slot->link.client.macros = m->macros;
        put_event(&slot->link.client, &e);
        (void)ask(m, slot, false, &ignored);
    }
}

bool milters_data(struct milters *m, struct smtp_reply *r)
{
    struct milters_event e = {.kind = MILTER_DATA, .is_mail = true};

    return send_event(m, &e, r);
}

bool milters_unknown(struct milters *m, struct slice command, struct smtp_reply *r)
{
    struct milters_event e = {.kind = MILTER_UNKNOWN, .text = command};

    return send_event(m, &e, r);
}

void milters_abort(struct milters *m)
{
    for (size_t i = 0; i < m->count; i++) {
        struct milter_slot *slot = &m->slots[i];
        struct err err = {.code = 0};

        if (slot->is_away || !slot->is_open)
            continue;
        milter_client_abort(&slot->link.client);
        if (milter_link_flush(&slot->link, m->settings->relay.milter_timeout_ms, &err) != 0)
            slot_lost(slot, &err);
    }
    m->discard = m->quarantine = false;
}

/* --- the message ----------------------------------------------------------------------------- */

struct content {
    struct milters *milters;
    struct milter_slot *slot;
    struct milters_mail *mail;
    struct smtp_reply *reply;
    bool is_last; /* of the milters */
    bool is_done; /* the milter has given its verdict, or is unavailable; `result` is the outcome */
    bool result;
};

static void content_done(struct content *x, bool result)
{
    x->is_done = true;
    x->result = result;
}

static void content_lost(struct content *x, const struct err *err)
{
    slot_lost(x->slot, err);
    content_done(x, default_action(x->milters, x->reply));
}

/* After a header line, the end of the header or a body chunk. */
static void content_ask(struct content *x)
{
    struct milter_answer a;
    struct err err = {.code = 0};
    int got = milter_link_next(
        &x->slot->link, x->milters->settings->relay.milter_timeout_ms * CONTENT_TIMES, &a, &err);

    if (got < 0)
        content_lost(x, &err);
    else if (got > 0 && a.kind != MILTER_CONTINUE)
        content_done(x, verdict(x->milters, &a, x->reply));
}

static void send_header(struct content *x)
{
    struct milter_client *c = &x->slot->link.client;

    for (size_t i = 0; i < x->mail->message->field_count && !x->is_done; i++) {
        (void)milter_client_header(c, x->mail->message->fields[i].name,
                                   x->mail->message->fields[i].value);
        content_ask(x);
    }
    if (x->is_done)
        return;
    (void)milter_client_eoh(c);
    content_ask(x);
}

static void send_body(struct content *x)
{
    struct milter_client *c = &x->slot->link.client;
    char *chunk = milter_client_wants_body(c) ? malloc(MILTER_CHUNK_BYTES) : NULL;
    uint64_t at = 0;

    while (chunk != NULL && !x->is_done && at < x->mail->message->body.len &&
           milter_client_wants_body(c)) {
        ssize_t n = spool_read(&x->mail->message->body, at, chunk, MILTER_CHUNK_BYTES);

        if (n <= 0) {
            content_done(x, refuse(x->reply, "451 4.3.0 Queue file read error"));
            break;
        }
        at += (uint64_t)n;
        (void)milter_client_body(c, (struct slice){chunk, (size_t)n});
        content_ask(x);
    }
    free(chunk);
}

/* Milters that did not ask to keep the blank behind the colon give a value without it. */
static struct slice header_value(struct content *x, struct slice value, struct buf *b)
{
    if ((x->slot->link.client.steps & MILTER_LEAD_SPACE) != 0 || value.len == 0)
        return value;
    buf_reset(b);
    buf_add_char(b, ' ');
    buf_add(b, value);
    return buf_slice(b);
}

static void change_header(struct content *x, const struct milter_answer *a)
{
    struct slice value;
    struct buf b;

    buf_init(&b, MILTER_DATA_BYTES * 2);
    value = header_value(x, a->value, &b);
    if (a->kind == MILTER_ADD_HEADER)
        message_add_field(x->mail->message, a->name, value);
    else if (a->kind == MILTER_INSERT_HEADER)
        message_insert_field(x->mail->message, a->index, a->name, value);
    else
        message_change_field(x->mail->message, a->index, a->name, value);
    buf_fini(&b);
}

static void change(struct content *x, const struct milter_answer *a)
{
    x->mail->is_changed = x->mail->is_changed || a->kind != MILTER_QUARANTINE;
    switch (a->kind) {
    case MILTER_ADD_HEADER:
    case MILTER_INSERT_HEADER:
    case MILTER_CHANGE_HEADER:
        change_header(x, a);
        break;
    case MILTER_REPLACE_BODY:
        message_replace_body(x->mail->message, a->value);
        break;
    case MILTER_ADD_RCPT:
    case MILTER_ADD_RCPT_PAR:
        (void)envelope_add_recipient(x->mail->envelope, x->mail->arena,
                                     envelope_path_plain(a->value), SLICE_NONE);
        break;
    case MILTER_DELETE_RCPT:
        (void)envelope_delete_recipient(x->mail->envelope, envelope_path_plain(a->value));
        break;
    case MILTER_CHANGE_FROM:
        x->mail->envelope->sender = arena_copy(x->mail->arena, envelope_path_plain(a->value));
        break;
    default:
        x->milters->quarantine = true;
        break;
    }
}

static void send_end(struct content *x)
{
    int64_t timeout_ms = x->milters->settings->relay.milter_timeout_ms * CONTENT_TIMES;
    struct milter_answer a;
    struct err err = {.code = 0};
    int got;

    x->mail->message->body_replaced = false; /* each milter replaces the whole body */
    (void)milter_client_eom(&x->slot->link.client);
    while ((got = milter_link_next(&x->slot->link, timeout_ms, &a, &err)) > 0 && !a.is_final)
        change(x, &a);
    if (got < 0)
        content_lost(x, &err);
    else
        content_done(x, got == 0 || verdict(x->milters, &a, x->reply));
}

static bool send_message(struct content *x)
{
    x->slot->link.client.macros = x->milters->macros;
    send_header(x);
    if (!x->is_done)
        send_body(x);
    if (!x->is_done && x->is_last && !x->mail->prepare(x->mail->user, x->reply))
        content_done(x, false);
    if (!x->is_done)
        send_end(x);
    return x->result;
}

bool milters_message(struct milters *m, struct milters_mail *mail, struct smtp_reply *r)
{
    for (size_t i = 0; i < m->count && !m->discard; i++) {
        struct content x = {.milters = m,
                            .slot = &m->slots[i],
                            .mail = mail,
                            .reply = r,
                            .is_last = i + 1 == m->count};

        mail->is_changed = false;
        if (m->slots[i].is_away ? !default_action(m, r) : !send_message(&x))
            return false;
        if (mail->message->fault != NULL)
            return refuse(r, mail->message->fault);
    }
    return true;
}
