/* tollgate why ADDRESS, domain, client or @server */
#include <string.h>
#include <sysexits.h>

#include "cli/limit_show.h"
#include "cli/text.h"
#include "cli/usage_rows.h"
#include "cli/violations_table.h"
#include "cli/why.h"
#include "lib/core/format.h"
#include "lib/read/read_held.h"

#define VIOLATIONS_SHOWN 5
#define SEARCHED         1000
#define NAME_BYTES       8192
#define INDENT           11
#define TARGETS_SHOWN    5

struct sender {
    struct why *w;
    const struct address *address; /* NULL: not about a user */
    struct slice user;             /* as counted; empty: none */
    struct holder holder;          /* who is charged */
    struct holder_limits limits;
    struct usage_rows usage;
    bool is_exempt;
};

/* --- who ------------------------------------------------------------------------------------- */

static void line(struct sender *s, const char *name, struct slice value)
{
    format_left(&s->w->out, slice_str(name), INDENT);
    format_text(&s->w->out, value);
    buf_add_char(&s->w->out, '\n');
}

static void add_forwarder(struct sender *s)
{
    struct forward_targets targets;
    struct err err = {0};
    struct buf b;

    if (!setup_forward(&s->w->setup, s->address, &s->w->arena, &targets, &err)) {
        if (err.text[0] != '\0')
            line(s, "  forwards", slice_str(err.text));
        return;
    }
    buf_init(&b, NAME_BYTES);
    buf_add_str(&b, "to");
    for (size_t i = 0; i < targets.count && i < TARGETS_SHOWN; i++) {
        buf_add_str(&b, i > 0 ? ", " : " ");
        buf_add(&b, targets.list[i]);
    }
    if (targets.count > TARGETS_SHOWN)
        buf_addf(&b, " and %zu more", targets.count - TARGETS_SHOWN);
    line(s, "  forwards", buf_slice(&b));
    buf_fini(&b);
}

static bool is_among(const struct strmap *set, struct slice name)
{
    return name.len > 0 && strmap_find(set, name) != NULL;
}

static void add_exempt(struct sender *s)
{
    const struct exemptions *x = &s->w->setup.rules->exempt;

    if (is_among(&x->users, s->user)) {
        s->is_exempt = true;
        line(s, "  exempt", SLICE("yes, by throttle.exempt.users: no limit applies"));
    }
    if (is_among(&x->recipients, s->user))
        line(s, "  exempt", SLICE("as a recipient, by throttle.exempt.recipients"));
    s->is_exempt = s->is_exempt || s->holder.is_exempt;
}

static void add_network(struct sender *s)
{
    const struct hosted *w = s->w->setup.hosted;
    struct ip ip;

    if (!networks_ip_parse(slice_from(s->holder.name, sizeof HOLDER_CLIENT - 1), &ip))
        return;
    line(s, "  network",
         networks_contain(&w->host, &ip) ? SLICE("this host (networks.host)")
         : networks_contain(&w->customers, &ip)
             ? SLICE("a customer (networks.customers)")
             : SLICE("outside: may send to other servers only with a login"));
}

static int add_held(struct sender *s, struct err *err)
{
    struct held_summary held;
    struct buf b;

    if (s->holder.kind != HOLDER_IS_DOMAIN)
        return 0;
    if (read_held(&s->w->cli->reader, s->holder.name, &held, err) != 0)
        return -1;
    if (held.count == 0)
        return 0;
    buf_init(&b, NAME_BYTES);
    format_count(&b, held.count);
    buf_addf(&b, " message%s on hold, since ", held.count == 1 ? "" : "s");
    text_time(&b, held.oldest_s);
    line(s, "  held", buf_slice(&b));
    buf_fini(&b);
    return 0;
}

static int add_who(struct sender *s, struct err *err)
{
    struct holder shown = s->holder;

    if (s->address != NULL)
        shown.name = s->user;
    limit_show_head(&s->w->setup, &shown, &s->limits, &s->w->out);
    if (s->holder.kind == HOLDER_IS_CLIENT)
        add_network(s);
    if (s->address != NULL)
        add_forwarder(s);
    add_exempt(s);
    return add_held(s, err);
}

/* --- may they send? -------------------------------------------------------------------------- */

static int64_t wait_of(const struct usage_row *row)
{
    return row->reopens_ms < 0 ? INT64_MAX : row->reopens_ms;
}

/* Of two full limits the stronger, then the one that reopens later. */
static bool decides(const struct usage_row *row, const struct usage_row *before)
{
    if (before == NULL)
        return true;
    if (row->limit->action != before->limit->action)
        return row->limit->action > before->limit->action;
    return wait_of(row) > wait_of(before);
}

/* The full limit that decides about mail sent, or about bounces; NULL: none is full. */
static const struct usage_row *find_full(const struct sender *s, bool bounces)
{
    const struct usage_row *found = NULL;

    for (size_t i = 0; i < s->usage.count; i++) {
        const struct usage_row *row = &s->usage.list[i];

        if (row->reopens_ms == 0 || (row->limit->metric == METRIC_BOUNCES) != bounces)
            continue;
        if (decides(row, found))
            found = row;
    }
    return found;
}

/* Of those about mail sent that act. */
static const struct usage_row *find_fullest(const struct sender *s)
{
    const struct usage_row *found = NULL;

    for (size_t i = 0; i < s->usage.count; i++) {
        const struct usage_row *row = &s->usage.list[i];

        if (row->limit->metric != METRIC_BOUNCES && row->limit->action != ACTION_LOG &&
            (found == NULL || usage_compare(row, found) < 0))
            found = row;
    }
    return found;
}

static void add_until(const struct sender *s, const struct usage_row *row, struct buf *b)
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

static void add_full(const struct sender *s, const struct usage_row *row, struct buf *b)
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

static void say_full(struct sender *s, const struct usage_row *row, const char *what)
{
    bool acts = !s->w->setup.rules->observe && row->limit->action != ACTION_LOG;
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
    why_say_text(s->w, buf_slice(&b));
    buf_fini(&b);
}

static void say_room(struct sender *s)
{
    const struct usage_row *row = find_fullest(s);
    struct buf b;

    if (row == NULL) {
        why_say(s->w, "Mail to other servers is accepted: no enforced limit applies.");
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
                s->w->setup.rules->observe
                    ? " throttle.mode is \"observe\": a message that needs more is accepted, too."
                    : " A message that needs more is stopped as a whole.");
    why_say_text(s->w, buf_slice(&b));
    buf_fini(&b);
}

static void say_verdict(struct sender *s)
{
    const struct usage_row *sent = find_full(s, false), *bounces = find_full(s, true);

    if (s->is_exempt) {
        why_say(s->w, "Mail to other servers is accepted: it is exempt, and no limit applies.");
        return;
    }
    if (sent != NULL)
        say_full(s, sent, "Mail to other servers is");
    else
        say_room(s);
    if (bounces != NULL)
        say_full(s, bounces, "Bounces to it are");
}

/* --- details --------------------------------------------------------------------------------- */

static void add_usage(struct sender *s)
{
    struct table list;

    if (s->usage.count == 0)
        return;
    table_init(&list, usage_columns, usage_column_count, &s->w->arena);
    for (size_t i = 0; i < s->usage.count; i++) {
        struct usage_row row = s->usage.list[i];

        row.user = SLICE_NONE; /* there is but one */
        usage_add_row(&list, &row, s->usage.now_ms, s->w->style.utf8);
    }
    buf_add_char(&s->w->out, '\n');
    table_table(&list, &s->w->style, true, &s->w->out);
}

struct picking {
    const struct sender *s;
    struct violation_entry list[VIOLATIONS_SHOWN]; /* the newest first */
    size_t count;
};

static int pick(void *context, const struct violation_entry *entry, struct err *err)
{
    struct picking *p = context;
    struct violation_entry *e = &p->list[p->count];

    struct slice subject = violation_subject(&entry->v);

    if (p->s->address != NULL && subject.len > 0 && !slice_equal(subject, p->s->user))
        return 0;
    e->id = entry->id;
    if (violation_copy(&entry->v, &p->s->w->arena, &e->v, err) != 0)
        return -1;
    return ++p->count == VIOLATIONS_SHOWN;
}

static int add_violations(struct sender *s, struct err *err)
{
    struct picking p = {.s = s};
    struct table list;

    if (read_violations_backward(&s->w->cli->reader, s->holder.name, SEARCHED, pick, &p, err) < 0)
        return -1;
    if (p.count == 0) {
        buf_add_str(&s->w->out, "\nIt has no recorded violation.\n");
        return 0;
    }
    table_init(&list, violations_columns, violations_column_count, &s->w->arena);
    for (size_t i = p.count; i-- > 0;)
        violations_add_row(&list, &p.list[i].v);
    buf_addf(&s->w->out, "\nLatest violations:\n\n");
    table_table(&list, &s->w->style, true, &s->w->out);
    table_note_hidden(&list, &s->w->style, &s->w->out);
    return 0;
}

/* --------------------------------------------------------------------------------------------- */

static int read_all(struct sender *s, struct err *err)
{
    struct name_list users = {.items = &s->user, .count = s->user.len > 0 ? 1 : 0};
    struct why *w = s->w;

    if (holder_limits_read(&w->setup, &s->holder, w->now_s, &w->arena, &s->limits, err) != 0)
        return -1;
    return usage_read(&w->cli->reader, &s->holder, &s->limits, &users, &w->arena, &s->usage, err);
}

/* The mail of an alias domain is charged to another: whose limits are those that count. */
static int find_holder(struct sender *s, const char *typed, struct err *err)
{
    struct slice domain;

    if (s->address != NULL)
        typed = arena_copy(&s->w->arena, s->address->domain).ptr;
    if (typed == NULL ||
        holder_parse(&s->w->setup, slice_str(typed), &s->w->arena, &s->holder, err) != 0)
        return -1;
    domain = s->holder.name;
    if (s->holder.is_hosted || s->holder.charged.len == 0)
        return 0;
    if (holder_parse(&s->w->setup, s->holder.charged, &s->w->arena, &s->holder, err) != 0)
        return -1;
    why_say(s->w, "The mail of %.*s is charged to %.*s; these are the limits of the latter.",
            SLICE_FMT(domain), SLICE_FMT(s->holder.name));
    buf_add_char(&s->w->out, '\n');
    return 0;
}

static void say_foreign(struct sender *s)
{
    why_say(s->w,
            "%.*s is not hosted here (hosted.domains). Nothing is charged to it, and no limit of a "
            "domain "
            "applies. If it should be hosted, add it; `tollgate classify' shows how a message is "
            "counted.",
            SLICE_FMT(s->holder.name));
    if (s->w->typed[0] == '<')
        why_say(s->w,
                "If this is a Message-ID, give the queue id instead: grep 'message-id=%s' "
                "/var/log/mail.log",
                s->w->typed);
}

int why_sender(struct why *w, const struct address *address, const char *holder, struct err *err)
{
    struct sender s = {.w = w, .address = address};

    if (address != NULL) {
        s.user = hosted_user(w->setup.hosted, address, &w->arena);
        if (s.user.ptr == NULL)
            return err_set(err, EX_OSERR, "out of memory");
    }
    if (find_holder(&s, holder, err) != 0)
        return -1;
    if (!s.holder.is_hosted) {
        say_foreign(&s);
        return 0;
    }
    if (s.holder.kind == HOLDER_IS_CLIENTS)
        return err_set(err, EX_USAGE,
                       "each client has limits of its own: name one by its IP address");
    if (read_all(&s, err) != 0)
        return -1;
    if (add_who(&s, err) != 0)
        return -1;
    buf_add_char(&w->out, '\n');
    say_verdict(&s);
    add_usage(&s);
    return add_violations(&s, err);
}
