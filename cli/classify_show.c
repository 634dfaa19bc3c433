#include "cli/classify_show.h"

#include <jansson.h>

#include "cli/cli.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/sys/json.h"

#define TEXT_BYTES ((size_t)16 << 20)
#define INDENT     11 /* of the words behind a name */

/* --- text ------------------------------------------------------------------------------------ */

static void line(struct buf *b, const char *name, struct slice value)
{
    struct render_style style;

    cli_style(&style);
    text_entry(b, slice_str(name), INDENT, style.width, value);
}

static struct slice address_shown(const struct address *a, struct arena *arena)
{
    return address_is_null(a) ? SLICE("<>") : address_text(a, arena);
}

/* Whose decision it is: a recipient's, or the sender's copy. */
static const struct address *address_of(const struct shown *s, const struct decision *d)
{
    return d->rule == RULE_SENDER_COPY ? &s->facts->sender : &s->facts->recipients[d->recipient];
}

static void add_charged(struct buf *b, struct slice account, struct slice user)
{
    format_text(b, account);
    if (user.len > 0) {
        buf_add_str(b, ", user ");
        format_text(b, user);
    }
}

static void add_login(const struct shown *s, struct buf *b)
{
    format_left(b, SLICE("login"), INDENT);
    format_text(b, s->classified.login);
    buf_add_str(b, s->facts->auth.len == 0 ? " (POP-before-SMTP)\n" : "\n");
}

static void add_message(const struct shown *s, struct arena *arena, struct buf *b)
{
    const struct classified *c = &s->classified;

    format_left(b, SLICE("client"), INDENT);
    buf_addf(b, "%s: %s\n", s->client != NULL ? s->client : "none (the sendmail command)",
             classify_origin_name(c->origin));
    if (s->popauth_unknown != NULL) {
        format_left(b, SLICE(""), INDENT);
        buf_addf(b, "(POP-before-SMTP is unknown and treated as no: %s)\n", s->popauth_unknown);
    }
    if (c->login.len > 0)
        add_login(s, b);
    line(b, "sender", address_shown(&s->facts->sender, arena));
    if (c->origin != ORIGIN_OUTSIDE) {
        format_left(b, SLICE("owner"), INDENT);
        add_charged(b, c->owner, c->owner_user);
        buf_add_char(b, '\n');
    }
    line(b, "priority", slice_str(header_facts_priority_name(c->priority)));
    format_left(b, SLICE("bytes"), INDENT);
    format_count(b, c->bytes);
    buf_add_str(b, c->spam ? "\nspam       yes\n" : "\n");
    if (c->is_bounce)
        line(b, "bounce", SLICE("yes: counted for each hosted domain that receives it"));
}

static void add_decision(const struct shown *s, const struct decision *d, struct arena *arena,
                         struct buf *b)
{
    buf_add_char(b, '\n');
    format_text(b, address_shown(address_of(s, d), arena));
    if (d->target.len > 0) {
        buf_add_str(b, " -> ");
        format_text(b, d->target);
    }
    buf_add_char(b, '\n');
    line(b, "  class", slice_str(classify_class_name(d->class_)));
    format_left(b, SLICE("  charged"), INDENT);
    add_charged(b, d->account, d->user);
    buf_add_char(b, '\n');
    if (d->received_account.len > 0) {
        format_left(b, SLICE("  received"), INDENT);
        add_charged(b, d->received_account, d->received_user);
        buf_add_char(b, '\n');
    }
    line(b, "  rule", slice_str(classify_rule_text(d->rule)));
}

/* --- what would be counted ------------------------------------------------------------------- */

/* The tally of the legs with the same account and user as leg `first`; false where an earlier leg
 * has them. */
static bool tally_of_leg(const struct record *r, size_t first, struct tally *t)
{
    const struct leg *leg = &r->legs[first];

    *t = (struct tally){{0}};
    for (size_t i = 0; i < r->leg_count; i++) {
        if (!slice_equal(r->legs[i].account, leg->account) ||
            !slice_equal(r->legs[i].user, leg->user))
            continue;
        if (i < first)
            return false;
        record_leg_count(r, &r->legs[i], t);
    }
    return true;
}

static void add_leg(const struct leg *leg, const struct tally *t, struct buf *b)
{
    buf_add_char(b, '\n');
    if (slice_equal(leg->account, SLICE(ACCOUNT_NODE)))
        buf_add_str(b, "the node (the server's sum)");
    else
        add_charged(b, leg->account, leg->user);
    buf_add_char(b, '\n');
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        if (t->value[i] == 0)
            continue;
        buf_addf(b, "  %-27s", counter_table[i].name);
        buf_addf(b, "+");
        format_count(b, t->value[i]);
        buf_add_char(b, '\n');
    }
}

int classify_show_text(const struct shown *s, struct arena *arena)
{
    struct tally t;
    struct buf b;
    int code;

    buf_init(&b, TEXT_BYTES);
    add_message(s, arena, &b);
    for (size_t i = 0; i < s->classified.count; i++)
        add_decision(s, &s->classified.decisions[i], arena, &b);
    buf_add_str(&b, "\nWould be counted:\n");
    for (size_t i = 0; i < s->record.leg_count; i++) {
        if (tally_of_leg(&s->record, i, &t))
            add_leg(&s->record.legs[i], &t, &b);
    }
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void set_text(json_t *object, const char *name, struct slice text)
{
    (void)json_object_set_new(object, name, text.len > 0 ? json_text(text) : json_null());
}

static void set_string(json_t *object, const char *name, const char *text)
{
    set_text(object, name, slice_str(text));
}

static void set_address(json_t *object, const char *name, const struct address *a)
{
    struct arena arena;

    arena_init(&arena, 65536);
    (void)json_object_set_new(
        object, name, address_is_null(a) ? json_string("") : json_text(address_text(a, &arena)));
    arena_fini(&arena);
}

static json_t *decision_json(const struct shown *s, const struct decision *d)
{
    json_t *o = json_object();

    if (d->rule == RULE_SENDER_COPY)
        set_text(o, "recipient", SLICE_NONE);
    else
        set_address(o, "recipient", address_of(s, d));
    set_text(o, "target", d->target);
    set_string(o, "class", classify_class_name(d->class_));
    set_text(o, "account", d->account);
    set_text(o, "user", d->user);
    set_text(o, "received_account", d->received_account);
    set_text(o, "received_user", d->received_user);
    set_text(o, "destination", d->destination);
    set_string(o, "rule", classify_rule_text(d->rule));
    return o;
}

static json_t *tally_json(const struct tally *t)
{
    json_t *o = json_object();

    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        if (t->value[i] > 0)
            (void)json_object_set_new(o, counter_table[i].name,
                                      json_integer((json_int_t)t->value[i]));
    }
    return o;
}

static json_t *counted_json(const struct record *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->leg_count; i++) {
        bool node = slice_equal(r->legs[i].account, SLICE(ACCOUNT_NODE));
        struct tally t;
        json_t *o;

        if (!tally_of_leg(r, i, &t))
            continue;
        o = json_object();
        set_text(o, "account", node ? SLICE_NONE : r->legs[i].account);
        set_text(o, "user", r->legs[i].user);
        (void)json_object_set_new(o, "counters", tally_json(&t));
        (void)json_array_append_new(list, o);
    }
    return list;
}

static json_t *message_json(const struct shown *s)
{
    const struct classified *c = &s->classified;
    json_t *o = json_object(), *decisions = json_array();

    set_string(o, "client", s->client);
    set_string(o, "origin", classify_origin_name(c->origin));
    set_text(o, "login", c->login);
    set_address(o, "sender", &s->facts->sender);
    set_text(o, "owner", c->origin != ORIGIN_OUTSIDE ? c->owner : SLICE_NONE);
    set_text(o, "owner_user", c->origin != ORIGIN_OUTSIDE ? c->owner_user : SLICE_NONE);
    set_string(o, "priority", header_facts_priority_name(c->priority));
    (void)json_object_set_new(o, "spam", json_boolean(c->spam));
    (void)json_object_set_new(o, "bounce", json_boolean(c->is_bounce));
    (void)json_object_set_new(o, "bytes", json_integer((json_int_t)c->bytes));
    set_string(o, "popauth_unknown", s->popauth_unknown);
    for (size_t i = 0; i < c->count; i++)
        (void)json_array_append_new(decisions, decision_json(s, &c->decisions[i]));
    (void)json_object_set_new(o, "decisions", decisions);
    (void)json_object_set_new(o, "counted", counted_json(&s->record));
    return o;
}

int classify_show_json(const struct shown *s)
{
    struct buf b;
    int code;

    buf_init(&b, TEXT_BYTES);
    cli_add_json(&b, message_json(s));
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}
