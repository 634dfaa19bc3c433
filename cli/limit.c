/* tollgate limit: overrides of limits, given at run time. */
#include <stddef.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/holder_check.h"
#include "cli/limit_all.h"
#include "cli/limit_show.h"
#include "cli/limit_try.h"
#include "cli/options.h"
#include "lib/admin/holder_usage.h"
#include "lib/admin/limit_change.h"
#include "lib/admin/limit_list.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/sys/clock.h"

#define ARENA_BYTES     ((size_t)16 << 20)
#define TRY_ARENA_BYTES ((size_t)4 << 30)

static const char *const verbs[] = {"set", "unset", "show", "try", NULL};
enum limit_verb { VERB_SET, VERB_UNSET, VERB_SHOW, VERB_TRY };
static const char *const actions[] = {"log", "hold", "defer", "reject", NULL};
static const char *const answers[] = {"no", "yes", NULL};
static const char *const formats[] = {"table", "csv", "json", NULL}; /* as in enum format */

struct command_line {
    struct cli *cli;
    enum limit_verb verb;
    const char *holder, *name, *max, *until, *reason, *from, *to;
    int action, forwards, format; /* -1: not given */
    uint64_t soft;                /* percent; LIMIT_WISH_NO_SOFT: not given */
    bool force, all, users;
};

struct limit_command {
    const struct command_line *typed;
    struct setup setup;
    struct holder holder;
    struct holder_limits limits;
    int64_t now_s;
    struct arena arena;
};

/* --- the command line ------------------------------------------------------------------------ */

static const struct options_word words[] = {
    {"D", "a hosted domain, or a user (alice@example.com); @customer:NAME; @server; "
          "@client (all clients) or @client:192.0.2.1 (one)"},
    {"NAME",
     "scope/metric/window: domain/recipients/hour, user/bytes/month, customer/bytes/day ..."},
    {"MAX", "a number, a size (10GB), or unlimited"},
    {"METRIC MAX/WINDOW", "a limit to try: recipients 300/hour, bytes 2GB/day ..."},
    {.name = NULL}};
static const struct options_row rows[] = {
    {.name = "action",
     OPTIONS_CHOICE,
     offsetof(struct command_line, action),
     "ACTION",
     "what happens to a message over the limit: log, hold, defer or reject. If this or one of the "
     "next two is not given, the plan's applies",
     .choices = actions},
    {.name = "soft",
     OPTIONS_NUMBER,
     offsetof(struct command_line, soft),
     "PERCENT",
     "an event at this percentage; 0: none",
     .most = 99},
    {.name = "forwards",
     OPTIONS_CHOICE,
     offsetof(struct command_line, forwards),
     "no|yes",
     "may stop inbound mail when the owner of a forwarder is over the limit",
     .choices = answers,
     .optional = true},
    {.name = "until",
     OPTIONS_TEXT,
     offsetof(struct command_line, until),
     "DATE",
     "the last day: 2026-11-30, tomorrow; or a length of time: +3days, +2weeks, +12hours"},
    {.name = "reason",
     OPTIONS_TEXT,
     offsetof(struct command_line, reason),
     "TEXT",
     "why; shown by limit show"},
    {.name = "force",
     OPTIONS_FLAG,
     offsetof(struct command_line, force),
     NULL,
     "even if the domain is not hosted"},
    {.name = "all",
     OPTIONS_FLAG,
     offsetof(struct command_line, all),
     .help = "with limit show: everybody who has a plan or a limit of his own"},
    {.name = "from",
     OPTIONS_TEXT,
     offsetof(struct command_line, from),
     "DATE",
     "with limit try: the first day: 2026-11-21, -30days (default: -7days)"},
    {.name = "to",
     OPTIONS_TEXT,
     offsetof(struct command_line, to),
     "DATE",
     "with limit try: the last day, included (default: today)"},
    {.name = "users",
     OPTIONS_FLAG,
     offsetof(struct command_line, users),
     .help = "with limit try: a limit of each user of the domain, not of the domain"},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct command_line, format),
     "FORMAT",
     "output format of limit show and try: table or json; of try and show --all also csv",
     .choices = formats},
    {.name = NULL}};
static const struct options_table table = {
    .command = "limit",
    .verbs = verbs,
    .synopsis = "limit set D NAME MAX [--action log|hold|defer|reject]\n"
                "                      [--soft PERCENT] [--forwards[=no]] [--until DATE]\n"
                "                      [--reason TEXT] [--force]\n"
                "       tollgate limit unset D NAME\n"
                "       tollgate limit show D [--format table|json]\n"
                "       tollgate limit show --all [--format table|csv|json]\n"
                "       tollgate limit try D METRIC MAX/WINDOW [--users] [--forwards]\n"
                "                      [--from DATE] [--to DATE] [--format table|csv|json]",
    .words = words,
    .rows = rows,
    .words_least = 1,
    .words_most = 4,
    .missing = "expected set, unset, show or try",
    .notes = "Takes effect on all nodes within 5 seconds. What has been consumed stays consumed."};

static bool has_set_options(const struct command_line *c)
{
    return c->action >= 0 || c->until != NULL || c->reason != NULL ||
           c->soft != LIMIT_WISH_NO_SOFT || c->force;
}

static bool has_try_options(const struct command_line *c)
{
    return c->from != NULL || c->to != NULL || c->users;
}

static bool has_wrong_options(const struct command_line *c)
{
    return (c->verb != VERB_SET && has_set_options(c)) ||
           (c->verb != VERB_TRY && has_try_options(c)) ||
           (c->verb != VERB_SET && c->verb != VERB_TRY && c->forwards >= 0);
}

static int check_words(const struct command_line *c, int count)
{
    static const char *const wanted[] = {"D NAME MAX, such as: limit set example.com "
                                         "domain/recipients/hour 2000",
                                         "D NAME, such as: limit unset example.com "
                                         "domain/recipients/hour",
                                         "D, such as: limit show example.com",
                                         "D METRIC MAX/WINDOW, such as: limit try example.com "
                                         "recipients 300/hour"};
    static const int counts[] = {3, 2, 1, 3};

    if (c->all && (c->verb != VERB_SHOW || count > 0))
        return cli_usage("limit", "--all needs limit show, without an account");
    if (count != counts[c->verb] && !c->all)
        return cli_usage("limit", "limit %s needs %s", verbs[c->verb], wanted[c->verb]);
    return EX_OK;
}

static int check(const struct command_line *c, int count)
{
    int code = check_words(c, count);

    if (code != EX_OK)
        return code;
    if (c->verb == VERB_SHOW && !c->all && c->format == FORMAT_CSV)
        return cli_usage("limit", "--format csv needs --all");
    if (has_wrong_options(c))
        return cli_usage("limit", "limit %s takes no such option", verbs[c->verb]);
    if (c->verb != VERB_SHOW && c->verb != VERB_TRY && c->format >= 0)
        return cli_usage("limit", "--format needs limit show or limit try");
    return EX_OK;
}

static int parse(struct command_line *c, int argc, char **argv)
{
    char **typed;
    int verb, count = 0;
    int code = options_parse_verb(&table, c->cli, c, argc, argv, &typed, &verb);

    if (code != EX_OK)
        return code;
    c->verb = (enum limit_verb)verb;
    while (typed[1 + count] != NULL)
        count++;
    code = check(c, count);
    c->holder = typed[1];
    c->name = count > 1 ? typed[2] : NULL;
    c->max = count > 2 ? typed[3] : NULL;
    return code;
}

/* --- set ------------------------------------------------------------------------------------- */

static struct limit_change change_of(struct limit_command *w)
{
    return (struct limit_change){.setup = &w->setup,
                                 .holder = &w->holder,
                                 .limits = &w->limits,
                                 .now_s = w->now_s,
                                 .arena = &w->arena,
                                 .author = cli_author(),
                                 .reason = slice_str(w->typed->reason)};
}

static int until_parse(const struct limit_command *w, const char *text, int64_t *until_s,
                       struct err *err)
{
    time_t until;

    if (period_until_parse(slice_str(text), (time_t)w->now_s, &until, err) != 0)
        return cli_bad_value(err, "--until", text);
    *until_s = (int64_t)until;
    return 0;
}

static int limit_make(struct limit_command *w, struct limit *l, struct err *err)
{
    const struct command_line *c = w->typed;
    struct limit_wish wish = {.name = slice_str(c->name),
                              .max = slice_str(c->max),
                              .action = c->action,
                              .forwards = c->forwards,
                              .soft = c->soft};
    struct limit_change change = change_of(w);

    /* What is wrong with the limit is said before what is wrong with its end. */
    if (limit_change_make(&change, &wish, l, err) != 0 ||
        (c->until != NULL && until_parse(w, c->until, &l->until_s, err) != 0))
        return -1;
    return 0;
}

static void add_before(const struct limit_command *w, const struct limit *l, struct buf *b)
{
    const char *between = " (before: ";
    bool any = false;

    for (size_t i = 0; i < w->limits.count; i++) {
        if (!holder_limit_is(&w->limits, &w->holder, i, l))
            continue;
        buf_add_str(b, between);
        text_amount(b, l->metric, w->limits.limits[i].max);
        between = ", ";
        any = true;
    }
    buf_add_str(b, any ? ")" : " (before: none)");
}

/* What the override before had and this one has not. */
static void add_lost(const struct limit_command *w, const struct limit *l, struct buf *b)
{
    const struct limit *before = holder_override(&w->limits, l, w->now_s);

    if (before != NULL && before->until_s != 0 && l->until_s == 0) {
        buf_add_str(b, "\nIt ended at ");
        text_time(b, before->until_s);
        buf_add_str(b, " before; now it has no end (--until).");
    }
    if (before != NULL && before->reason.len > 0 && l->reason.len == 0) {
        buf_add_str(b, "\nIts reason was \"");
        format_text(b, before->reason);
        buf_add_str(b, "\"; now it has none (--reason).");
    }
}

static int say_set(const struct limit_command *w, const struct limit *l)
{
    struct buf b;
    int code;

    buf_init(&b, 65536);
    format_text(&b, holder_title(&w->holder));
    buf_add_str(&b, ": ");
    limit_name(l, &b);
    buf_add_str(&b, " is ");
    text_amount(&b, l->metric, l->max);
    add_before(w, l, &b);
    add_lost(w, l, &b);
    if (l->max != LIMIT_UNLIMITED)
        buf_addf(&b, "\nA message over it is %s.", text_stopped(l->action));
    if (l->max != LIMIT_UNLIMITED && w->setup.rules->observe && l->action != ACTION_LOG)
        buf_add_str(&b, " But throttle.mode is \"observe\":\nnothing is stopped; what would "
                        "be is logged and counted.");
    buf_add_str(&b, "\nTakes effect on all nodes within 5 seconds");
    if (l->until_s != 0) {
        buf_add_str(&b, ", until ");
        text_time(&b, l->until_s);
    }
    buf_add_str(&b, ".\n");
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

static int set(struct limit_command *w)
{
    struct limit_change change = change_of(w);
    struct err err = {0};
    struct limit l;
    int code;

    if (limit_make(w, &l, &err) != 0)
        return cli_fail(&err);
    code = holder_check(&w->holder, w->typed->force);
    if (code != EX_OK)
        return code;
    cli_log(w->typed->cli);
    return limit_change_set(&change, &l, &err) == 0 ? say_set(w, &l) : cli_fail(&err);
}

/* --- unset ----------------------------------------------------------------------------------- */

static int unset(struct limit_command *w)
{
    struct limit_change change = change_of(w);
    struct limit l = {.action = ACTION_DEFER};
    struct err err = {0};
    struct buf b;
    size_t removed;
    int code;

    cli_log(w->typed->cli);
    if (limit_change_unset(&change, slice_str(w->typed->name), &removed, &err) != 0)
        return cli_fail(&err);
    if (limit_parse_name(slice_str(w->typed->name), &w->arena, &l, &err) != 0 && removed == 0) {
        err.code = EX_USAGE;
        return cli_fail(&err);
    }
    if (holder_limits_read(&w->setup, &w->holder, w->now_s, &w->arena, &w->limits, &err) != 0)
        return cli_fail(&err);
    buf_init(&b, 65536);
    format_text(&b, holder_title(&w->holder));
    buf_addf(&b, "%s %s\n", removed > 0 ? ": removed the override of" : " has no override of",
             w->typed->name);
    if (l.per.len > 0)
        limit_show_name(&w->limits, &w->holder, &l, &b);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

/* --------------------------------------------------------------------------------------------- */

/* --- try ------------------------------------------------------------------------------------- */

static int try_limit(struct limit_command *w)
{
    const struct command_line *c = w->typed;
    struct limit_try *t = arena_alloc(&w->arena, sizeof *t);
    struct err err = {0};
    int code;

    if (t == NULL) {
        (void)err_set(&err, EX_OSERR, "out of memory");
        return cli_fail(&err);
    }
    *t = (struct limit_try){.cli = c->cli,
                            .setup = &w->setup,
                            .holder = w->holder,
                            .from_text = c->from,
                            .to_text = c->to,
                            .users = c->users,
                            .format = c->format < 0 ? FORMAT_TABLE : c->format};
    arena_init(&t->arena, TRY_ARENA_BYTES);
    code = limit_try_parse(t, slice_str(c->name), slice_str(c->max), &err);
    t->limit.forwards = c->forwards == 1;
    code = code == 0 ? limit_try(t) : cli_fail(&err);
    arena_fini(&t->arena);
    return code;
}

/* When limits of a month will be full; of those of which it is not known, nothing. */
static int read_forecasts(struct limit_command *w, struct usage_rows *out, struct err *err)
{
    struct reader *r = &w->typed->cli->reader;
    const struct name_list users = {.items = &w->holder.subject,
                                    .count = w->holder.kind == HOLDER_IS_USER ? 1 : 0};
    bool has_month = false;

    *out = (struct usage_rows){.count = 0};
    for (size_t i = 0; i < w->limits.count; i++)
        has_month = has_month || w->limits.limits[i].window_ms == LIMIT_WINDOW_MONTH;
    if (!has_month || w->holder.is_exempt)
        return 0;
    limit_list_sort(&w->limits); /* what the rows point to stays in its place */
    if (holder_usage_of(r, &w->holder, &w->limits, &users, &w->arena, out, err) != 0 ||
        holder_usage_forecast(r, &w->holder, out, &w->arena, err) != 0)
        return -1;
    for (size_t i = 0; i < out->count; i++)
        out->list[i].has_forecast = out->list[i].over_s > 0;
    return 0;
}

static int show(struct limit_command *w)
{
    bool json = w->typed->format == FORMAT_JSON;
    struct usage_rows used = {.count = 0};
    struct err err = {0};

    if (!json && read_forecasts(w, &used, &err) != 0)
        return cli_fail(&err);
    return limit_show(&w->setup, &w->holder, &w->limits, &used, w->now_s, json);
}

static int run(struct limit_command *w)
{
    struct err err = {0};
    int code = cli_setup(&w->setup, w->typed->cli);

    if (code != EX_OK)
        return code;
    w->now_s = clock_unix_ms() / 1000;
    if (w->typed->all)
        return limit_all(w->typed->cli, &w->setup,
                         w->typed->format < 0 ? FORMAT_TABLE : (enum format)w->typed->format);
    if (holder_parse(&w->setup, slice_str(w->typed->holder), &w->arena, &w->holder, &err) != 0 ||
        holder_limits_read(&w->setup, &w->holder, w->now_s, &w->arena, &w->limits, &err) != 0)
        return cli_fail(&err);
    switch (w->typed->verb) {
    case VERB_SET:
        return set(w);
    case VERB_UNSET:
        return unset(w);
    case VERB_TRY:
        return try_limit(w);
    case VERB_SHOW:
        break;
    }
    return show(w);
}

int command_limit(struct cli *cli, int argc, char **argv)
{
    struct command_line typed = {
        .cli = cli, .action = -1, .forwards = -1, .format = -1, .soft = LIMIT_WISH_NO_SOFT};
    struct limit_command w = {.typed = &typed};
    int code = parse(&typed, argc, argv);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&w.arena, ARENA_BYTES);
    code = run(&w);
    setup_close(&w.setup);
    arena_fini(&w.arena);
    return code;
}
