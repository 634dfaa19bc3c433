/* tollgate why ADDRESS, domain, client or @server, as text */
#include "cli/limit_show.h"
#include "cli/why_sender.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/read/read_violations_table.h"

#define NAME_BYTES    8192
#define INDENT        11
#define TARGETS_SHOWN 5

/* --- who ------------------------------------------------------------------------------------- */

static void line(struct why *w, const char *name, struct slice value)
{
    format_left(&w->out, slice_str(name), INDENT);
    format_text(&w->out, value);
    buf_add_char(&w->out, '\n');
}

static void add_forwarder(struct why *w, const struct why_sender *s)
{
    struct buf b;

    if (!s->is_forwarder && s->forward_unread.text[0] != '\0')
        line(w, "  forwards", slice_str(s->forward_unread.text));
    if (!s->is_forwarder)
        return;
    buf_init(&b, NAME_BYTES);
    buf_add_str(&b, "to");
    for (size_t i = 0; i < s->targets.count && i < TARGETS_SHOWN; i++) {
        buf_add_str(&b, i > 0 ? ", " : " ");
        buf_add(&b, s->targets.list[i]);
    }
    if (s->targets.count > TARGETS_SHOWN)
        buf_addf(&b, " and %zu more", s->targets.count - TARGETS_SHOWN);
    line(w, "  forwards", buf_slice(&b));
    buf_fini(&b);
}

static void add_network(struct why *w, enum why_network network)
{
    static const char *const texts[] = {[WHY_HOST] = "this host (networks.host)",
                                        [WHY_CUSTOMER] = "a customer (networks.customers)",
                                        [WHY_OUTSIDE] =
                                            "outside: may send to other servers only with a login"};

    if (network != WHY_NO_NETWORK)
        line(w, "  network", slice_str(texts[network]));
}

static void add_exempt(struct why *w, const struct why_sender *s)
{
    if (s->is_exempt_user)
        line(w, "  exempt", SLICE("yes, by throttle.exempt.users: no limit applies"));
    if (s->is_exempt_recipient)
        line(w, "  exempt", SLICE("as a recipient, by throttle.exempt.recipients"));
}

static void add_held(struct why *w, const struct held_summary *held)
{
    struct buf b;

    if (held->count == 0)
        return;
    buf_init(&b, NAME_BYTES);
    format_count(&b, held->count);
    buf_addf(&b, " message%s on hold, since ", held->count == 1 ? "" : "s");
    text_time(&b, held->oldest_s);
    line(w, "  held", buf_slice(&b));
    buf_fini(&b);
}

static void add_who(struct why *w, const struct why_sender *s)
{
    struct holder shown = s->holder;

    if (s->address != NULL)
        shown.name = s->user;
    limit_show_head(&w->setup, &shown, &s->limits, &w->out);
    add_network(w, s->network);
    if (s->address != NULL)
        add_forwarder(w, s);
    add_exempt(w, s);
    add_held(w, &s->held);
}

/* --- may they send? -------------------------------------------------------------------------- */

static void add_until(const struct why_sender *s, const struct usage_row *row, struct buf *b)
{
    int64_t at_s = (s->usage.now_ms + row->reopens_ms) / 1000;

    if (row->reopens_ms < 0) {
        buf_add_str(b, ". The limit is 0: it never has room");
        return;
    }
    buf_add_str(b, ". There is room again from ");
    text_clock(b, at_s, s->usage.now_ms / 1000);
    buf_add_str(b, " (in ");
    text_duration(b, (row->reopens_ms + 999) / 1000);
    buf_add_char(b, ')');
}

static void add_full(const struct why_sender *s, const struct usage_row *row, struct buf *b)
{
    limit_name(row->limit, b);
    buf_add_str(b, " is full (");
    text_amount(b, row->limit->metric, row->used);
    buf_add_str(b, " of ");
    text_amount(b, row->limit->metric, row->limit->max);
    buf_add_char(b, ')');
    add_until(s, row, b);
    buf_add_str(b, ".");
}

static void say_full(struct why *w, const struct why_sender *s, const struct usage_row *row,
                     const char *what)
{
    bool acts = !w->setup.rules->observe && row->limit->action != ACTION_LOG;
    struct buf b;

    buf_init(&b, NAME_BYTES);
    if (acts)
        buf_addf(&b, "%s %s now: ", what, text_stopped(row->limit->action));
    else if (row->limit->action == ACTION_LOG)
        buf_addf(&b, "%s accepted. A limit that only logs is full: ", what);
    else
        buf_addf(&b,
                 "%s accepted, because throttle.mode is \"observe\". Enforced, it would be "
                 "%s now: ",
                 what, text_stopped(row->limit->action));
    add_full(s, row, &b);
    if (acts && row->limit->metric != METRIC_BOUNCES)
        buf_add_str(&b, row->limit->forwards
                            ? " Incoming mail for its forwarders is stopped, too; other "
                              "incoming and local mail is not."
                            : " Incoming and local mail is not affected.");
    why_say_text(w, buf_slice(&b));
    buf_fini(&b);
}

static void say_room(struct why *w, const struct why_sender *s)
{
    const struct usage_row *row = why_sender_fullest(s);
    struct buf b;

    if (row == NULL) {
        why_say(w, "Mail to other servers is accepted: no enforced limit applies.");
        return;
    }
    buf_init(&b, NAME_BYTES);
    buf_add_str(&b, "Mail to other servers is accepted now. The fullest limit is ");
    limit_name(row->limit, &b);
    buf_add_str(&b, ", ");
    format_count(&b, row->percent);
    buf_add_str(&b, "%; room for ");
    text_amount(&b, row->limit->metric, row->room);
    buf_add_str(&b, row->limit->metric == METRIC_BYTES ? " more." : " more ");
    if (row->limit->metric != METRIC_BYTES)
        buf_addf(&b, "%s.", limit_metric_name(row->limit->metric));
    buf_add_str(&b,
                w->setup.rules->observe
                    ? " throttle.mode is \"observe\": a message that needs more is accepted, too."
                    : " A message that needs more is stopped as a whole.");
    why_say_text(w, buf_slice(&b));
    buf_fini(&b);
}

static void say_verdict(struct why *w, const struct why_sender *s)
{
    const struct usage_row *sent = why_sender_full(s, false), *bounces = why_sender_full(s, true);

    if (s->is_exempt) {
        why_say(w, "Mail to other servers is accepted: it is exempt, and no limit applies.");
        return;
    }
    if (sent != NULL)
        say_full(w, s, sent, "Mail to other servers is");
    else
        say_room(w, s);
    if (bounces != NULL)
        say_full(w, s, bounces, "Bounces to it are");
}

/* --- details --------------------------------------------------------------------------------- */

static void add_usage(struct why *w, const struct why_sender *s)
{
    struct table list;

    if (s->usage.count == 0)
        return;
    table_init(&list, read_usage_columns, read_usage_column_count, &w->arena);
    for (size_t i = 0; i < s->usage.count; i++) {
        struct usage_row row = s->usage.list[i];

        row.user = SLICE_NONE; /* there is but one */
        read_usage_add_row(&list, &row, s->usage.now_ms, w->style.utf8);
    }
    buf_add_char(&w->out, '\n');
    table_table(&list, &w->style, true, &w->out);
}

static void add_violations(struct why *w, const struct why_sender *s)
{
    struct table list;

    if (s->violation_count == 0) {
        buf_add_str(&w->out, "\nIt has no recorded violation.\n");
        return;
    }
    table_init(&list, read_violations_columns, read_violations_column_count, &w->arena);
    for (size_t i = s->violation_count; i-- > 0;)
        read_violations_add_row(&list, &s->violations[i].v);
    buf_addf(&w->out, "\nLatest violations:\n\n");
    table_table(&list, &w->style, true, &w->out);
    table_note_hidden(&list, &w->style, &w->out);
}

/* --------------------------------------------------------------------------------------------- */

static void say_foreign(struct why *w, const struct why_sender *s)
{
    why_say(w,
            "%.*s is not hosted here (hosted.domains). Nothing is charged to it, and no limit of a "
            "domain "
            "applies. If it should be hosted, add it; `tollgate classify' shows how a message is "
            "counted.",
            SLICE_FMT(s->holder.name));
    if (w->typed[0] == '<')
        why_say(w,
                "If this is a Message-ID, give the queue id instead: grep 'message-id=%s' "
                "/var/log/mail.log",
                w->typed);
}

void why_sender_say(struct why *w, const struct why_sender *s)
{
    if (s->alias.len > 0) {
        why_say(w, "The mail of %.*s is charged to %.*s; these are the limits of the latter.",
                SLICE_FMT(s->alias), SLICE_FMT(s->holder.name));
        buf_add_char(&w->out, '\n');
    }
    if (!s->holder.is_hosted) {
        say_foreign(w, s);
        return;
    }
    add_who(w, s);
    buf_add_char(&w->out, '\n');
    say_verdict(w, s);
    add_usage(w, s);
    add_violations(w, s);
}
