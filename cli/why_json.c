/* tollgate why --format json: one object with what the text says */
#include <jansson.h>

#include "cli/why_message.h"
#include "cli/why_sender.h"
#include "lib/core/mail_trace.h"
#include "lib/core/text.h"
#include "lib/read/read_usage_rows.h"
#include "lib/read/read_violations_table.h"
#include "lib/sys/json.h"

#define TEXT_BYTES 4096

static void set(json_t *o, const char *name, json_t *value)
{
    (void)json_object_set_new(o, name, value);
}

static void set_text(json_t *o, const char *name, struct slice text)
{
    set(o, name, cli_json_text(text));
}

/* Without the fields that do not apply. */
static void set_some(json_t *o, const char *name, struct slice text)
{
    if (text.len > 0)
        set_text(o, name, text);
}

static void set_count(json_t *o, const char *name, uint64_t n)
{
    set(o, name, json_integer((json_int_t)n));
}

static json_t *violations(struct why *w, const struct violation *list, size_t count)
{
    struct table table;

    table_init(&table, read_violations_columns, read_violations_column_count, &w->arena);
    for (size_t i = 0; i < count; i++)
        read_violations_add_row(&table, &list[i]);
    return table_json(&table);
}

/* --- the story ------------------------------------------------------------------------------- */

static json_t *event(const struct mail_event *e)
{
    json_t *o = json_object();

    set(o, "time", cli_json_time(e->time_ms / 1000));
    set_text(o, "event", slice_str(mail_trace_kind_name(e->kind)));
    set_some(o, "client", e->client);
    set_some(o, "login", e->login);
    if (e->kind == MAIL_QUEUED || e->sender.len > 0)
        set(o, "sender", json_text(e->sender));
    if (e->kind == MAIL_QUEUED) {
        set_count(o, "bytes", e->size);
        set_count(o, "recipients", e->nrcpt);
    }
    set_some(o, "recipient", e->recipient);
    set_some(o, "orig_to", e->orig_to);
    set_some(o, "status", e->status);
    set_some(o, "relay", e->relay);
    set_some(o, "dsn", e->dsn);
    set_some(o, "other_id", e->other_id);
    set_some(o, "text", e->text);
    return o;
}

static json_t *told(const struct why_told *t)
{
    json_t *o = json_object(), *events = json_array();
    struct mail_trace_head head = {.left_out = 0};
    struct mail_trace_reader r;
    struct mail_event e;
    struct err err = {0};

    if (mail_trace_open(&r, t->trace, &head, &err) == 0) {
        while (mail_trace_next(&r, &e, &err) == 1)
            (void)json_array_append_new(events, event(&e));
    }
    set_text(o, "instance", t->instance);
    set_text(o, "account", head.domain);
    set_text(o, "user", head.user);
    set(o, "events", events);
    set_count(o, "left_out", head.left_out);
    return o;
}

/* --- a message ------------------------------------------------------------------------------- */

static json_t *decision(struct why *w, const struct violation *list, size_t count)
{
    enum limit_action action = why_message_decided(list, count);
    json_t *o = json_object();
    const struct violation *said = &list[0];

    for (size_t i = 0; i < count; i++) {
        if (list[i].action == action && !list[i].soft && !list[i].observed)
            said = &list[i];
    }
    set(o, "time", cli_json_time(list[0].time_ms / 1000));
    set_text(o, "outcome", slice_str(read_violations_outcome(said)));
    set_text(o, "client", list[0].client);
    set(o, "sender", json_text(list[0].sender));
    set_text(o, "login", list[0].login);
    set(o, "violations", violations(w, list, count));
    return o;
}

static json_t *decisions(struct why *w, const struct why_message *m)
{
    json_t *list = json_array();

    for (size_t i = 0, end; i < m->violation_count; i = end) {
        end = why_message_moment(m, i);
        (void)json_array_append_new(list, decision(w, &m->violations[i], end - i));
    }
    return list;
}

static json_t *held(const struct why_held *held)
{
    static const char *const states[] = {[WHY_NOT_HELD] = "no",
                                         [WHY_HELD] = "here",
                                         [WHY_HELD_ELSEWHERE] = "elsewhere",
                                         [WHY_RELEASED] = "released",
                                         [WHY_HELD_NO_MORE] = "no longer"};
    json_t *o = json_object();

    set_text(o, "state", slice_str(states[held->state]));
    set_text(o, "account", held->account);
    set(o, "since", cli_json_time(held->since_s));
    set(o, "place", held->state == WHY_HELD ? json_integer((json_int_t)held->place) : json_null());
    set(o, "of", held->state == WHY_HELD ? json_integer((json_int_t)held->of) : json_null());
    return o;
}

/* What could not be told, and why. */
static json_t *message_notes(const struct why_message *m)
{
    json_t *notes = json_array();
    struct buf b;

    buf_init(&b, TEXT_BYTES);
    why_message_note(m, &b);
    if (b.len > 0)
        (void)json_array_append_new(notes, json_text(buf_slice(&b)));
    if (m->story.unread.code != 0)
        (void)json_array_append_new(notes, json_text(slice_str(m->story.unread.text)));
    if (!m->story.is_there)
        (void)json_array_append_new(
            notes, json_string("tollgate-collect has not run on this node: what the mail log says "
                               "is not known."));
    buf_fini(&b);
    return notes;
}

json_t *why_message_json(struct why *w, const struct why_message *m)
{
    json_t *o = json_object(), *stories = json_array();

    set_text(o, "queue_id", m->id);
    set(o, "known", json_boolean(why_message_is_known(m)));
    set(o, "decisions", decisions(w, m));
    set(o, "held", held(&m->held));
    set(o, "counted", why_counted_json(&m->counted));
    set(o, "in_doubt", m->ledger < 0 ? json_null() : json_boolean(m->ledger == 1));
    set(o, "in_doubt_since", cli_json_time(m->doubtful_s));
    for (size_t i = 0; i < m->story.count; i++)
        (void)json_array_append_new(stories, told(&m->story.list[i]));
    set(o, "log", stories);
    set(o, "notes", message_notes(m));
    return o;
}

/* --- who sends ------------------------------------------------------------------------------- */

/* What happens to mail now: by which limit, and until when. */
static json_t *verdict(const struct why *w, const struct why_sender *s,
                       const struct usage_row *full)
{
    bool stops = full != NULL && !s->is_exempt && !w->setup.rules->observe &&
                 full->limit->action != ACTION_LOG;
    json_t *o = json_object();
    struct buf name;

    buf_init(&name, TEXT_BYTES);
    if (full != NULL && !s->is_exempt)
        limit_name(full->limit, &name);
    set(o, "outcome", json_string(stops ? text_stopped(full->limit->action) : "accepted"));
    set_text(o, "full_limit", buf_slice(&name));
    set(o, "room_again",
        name.len > 0 && full->reopens_ms > 0
            ? cli_json_time((s->usage.now_ms + full->reopens_ms) / 1000)
            : json_null());
    buf_fini(&name);
    return o;
}

static json_t *usage(struct why *w, const struct why_sender *s)
{
    struct table table;

    table_init(&table, read_usage_columns, read_usage_column_count, &w->arena);
    for (size_t i = 0; i < s->usage.count; i++)
        read_usage_add_row(&table, &s->usage.list[i], s->usage.now_ms, false);
    return table_json(&table);
}

static json_t *latest(struct why *w, const struct why_sender *s)
{
    struct table table;

    table_init(&table, read_violations_columns, read_violations_column_count, &w->arena);
    for (size_t i = s->violation_count; i-- > 0;)
        read_violations_add_row(&table, &s->violations[i].v);
    return table_json(&table);
}

static json_t *targets(const struct why_sender *s)
{
    json_t *list = json_array();

    for (size_t i = 0; s->is_forwarder && i < s->targets.count; i++)
        (void)json_array_append_new(list, json_text(s->targets.list[i]));
    return list;
}

static void set_who(json_t *o, struct why *w, const struct why_sender *s)
{
    static const char *const networks[] = {[WHY_NO_NETWORK] = "",
                                           [WHY_HOST] = "host",
                                           [WHY_CUSTOMER] = "customer",
                                           [WHY_OUTSIDE] = "outside"};

    set_text(o, "account", s->holder.name);
    set_text(o, "user", s->user);
    set_text(o, "alias", s->alias);
    set(o, "hosted", json_boolean(s->holder.is_hosted));
    set_text(o, "network", slice_str(networks[s->network]));
    set_text(o, "plan", s->limits.plan != NULL ? s->limits.plan->name : SLICE_NONE);
    set(o, "mode", json_string(w->setup.rules->observe ? "observe" : "enforce"));
    set(o, "exempt", json_boolean(s->is_exempt));
    set(o, "exempt_recipient", json_boolean(s->is_exempt_recipient));
    set(o, "forwards_to", targets(s));
}

json_t *why_sender_json(struct why *w, const struct why_sender *s)
{
    json_t *o = json_object(), *notes = json_array();

    set_who(o, w, s);
    if (s->holder.is_hosted) {
        set_count(o, "held", s->held.count);
        set(o, "held_since", cli_json_time(s->held.oldest_s));
        set(o, "mail", verdict(w, s, why_sender_full(s, false)));
        set(o, "bounces", verdict(w, s, why_sender_full(s, true)));
        set(o, "limits", usage(w, s));
        set(o, "violations", latest(w, s));
    }
    if (s->forward_unread.text[0] != '\0')
        (void)json_array_append_new(notes, json_text(slice_str(s->forward_unread.text)));
    set(o, "notes", notes);
    return o;
}
