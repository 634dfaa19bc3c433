#include "collect/dovecot_event.h"

#include "collect/dovecot_session.h"
#include "collect/log_json.h"

#define DAY_MS     (INT64_C(24) * 3600 * 1000)
#define TEXT_BYTES ((size_t)256 << 10)
/* A key that no session id is: its entry says when a command was exported. */
#define EXPORT_KEY SLICE("\001export")

static const struct shape event_command = {"dovecot: event of a refused command", true};
static const struct shape event_session = {"dovecot: event of a session's end", true};
static const struct shape event_other = {"dovecot: event", false};

struct event {
    struct slice name, user, session, service, reply;
    uint64_t bytes_in, bytes_out;
    bool has_bytes;
};

/* --- reading ------------------------------------------------------------------------------------
 */

static void read_field(struct event *e, struct slice key, const struct log_json_value *value,
                       struct buf *texts)
{
    if (slice_equal(key, SLICE("user")))
        e->user = log_json_text(value, texts);
    else if (slice_equal(key, SLICE("session")))
        e->session = log_json_text(value, texts);
    else if (slice_equal(key, SLICE("service")))
        e->service = log_json_text(value, texts);
    else if (slice_equal(key, SLICE("tagged_reply_state")))
        e->reply = log_json_text(value, texts);
    else if (slice_equal(key, SLICE("net_in_bytes")))
        e->has_bytes = slice_number(value->raw, &e->bytes_in);
    else if (slice_equal(key, SLICE("net_out_bytes")))
        (void)slice_number(value->raw, &e->bytes_out);
}

/* {"event":"...", ..., "fields":{...}} */
static bool read_event(struct slice json, struct event *e, struct buf *texts)
{
    struct log_json outer, inner;
    struct log_json_value value;
    struct slice key;

    *e = (struct event){0};
    if (buf_space(texts, json.len) == NULL || !log_json_open(&outer, json))
        return false;
    while (log_json_next(&outer, &key, &value)) {
        if (slice_equal(key, SLICE("event")))
            e->name = log_json_text(&value, texts);
        if (!slice_equal(key, SLICE("fields")) || !log_json_open(&inner, value.raw))
            continue;
        while (log_json_next(&inner, &key, &value))
            read_field(e, key, &value, texts);
    }
    return outer.has_ended;
}

/* --- counting -----------------------------------------------------------------------------------
 */

static void payer_of(struct machine *m, const struct event *event, struct payer *payer)
{
    struct dovecot_session *s = open_find(m->open, OPEN_DOVECOT, event->session);

    *payer = PAYER_NONE;
    if (event->session.len > 0 && s != NULL)
        *payer = s->payer;
    else if (event->user.len > 0)
        (void)owners_login(m->owners, event->user, payer);
}

bool dovecot_event_exports(const struct machine *m, const struct log_line *line)
{
    const struct open_entry *e = open_entry(m->open, OPEN_DOVECOT, EXPORT_KEY);

    return e != NULL && line->time_ms - e->touched_ms < DAY_MS;
}

static void count_command(struct machine *m, const struct log_line *line, const struct event *event)
{
    struct payer payer;

    dovecot_session_note(m, line, EXPORT_KEY);
    payer_of(m, event, &payer);
    m->sink->count(m->sink->to, line->time_ms, &payer, COUNTER_IMAP_BAD_COMMANDS, line->times);
}

/* Bytes of POP are in no line of Dovecot's own unless it is told to write them. IMAP's line has
 * them. */
static void count_bytes(struct machine *m, const struct log_line *line, const struct event *event)
{
    struct open_entry *e = open_entry(m->open, OPEN_DOVECOT, event->session);
    struct dovecot_session *s = e != NULL ? e->thing : NULL;
    uint64_t bytes = event->bytes_in + event->bytes_out;

    if (s == NULL || s->proto != DOVECOT_POP || s->has_exact_bytes)
        return;
    if (s->has_ended && line->time_ms - e->touched_ms > DOVECOT_SESSION_KEEP_MS)
        return;
    if (bytes > s->bytes)
        m->sink->count(m->sink->to, line->time_ms, &s->payer, COUNTER_POP_BYTES, bytes - s->bytes);
    s->bytes = bytes;
    s->has_exact_bytes = true;
    open_changed(m->open, e);
}

static const struct shape *event_count(struct machine *m, const struct log_line *line,
                                       const struct event *event)
{
    if (slice_equal(event->name, SLICE("imap_command_finished"))) {
        if (!slice_equal(event->reply, SLICE("BAD")))
            return &event_other;
        count_command(m, line, event);
        return &event_command;
    }
    if (slice_equal(event->name, SLICE("mail_user_session_finished")) && event->has_bytes) {
        count_bytes(m, line, event);
        return &event_session;
    }
    return &event_other;
}

const struct shape *dovecot_event(struct machine *m, const struct log_line *line, struct slice json)
{
    const struct shape *shape = &event_other;
    struct event event;
    struct buf texts;

    buf_init(&texts, TEXT_BYTES);
    if (read_event(json, &event, &texts))
        shape = event_count(m, line, &event);
    buf_fini(&texts);
    return shape;
}
