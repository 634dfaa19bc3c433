/* tollgate plan: which plan a domain has, given at run time. */
#include <stddef.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/holder_check.h"
#include "cli/limit_show.h"
#include "cli/options.h"
#include "lib/admin/limit_change.h"
#include "lib/core/format.h"
#include "lib/sys/clock.h"

#define ARENA_BYTES ((size_t)16 << 20)
#define PLANS_SHOWN 256

static const char *const verbs[] = {"set", "unset", "show", NULL};
static const char *const formats[] = {"table", "json", NULL};
enum plan_verb { VERB_SET, VERB_UNSET, VERB_SHOW };

struct plan_command {
    struct cli *cli;
    enum plan_verb verb;
    const char *holder_typed, *plan_typed; /* NULL: not given */
    bool force;
    int format; /* -1: not given */

    struct setup setup;
    struct holder holder;
    struct holder_limits limits; /* before a change */
    struct arena arena;
};

/* --- the command line ------------------------------------------------------------------------ */

static const struct options_word words[] = {
    {"D", "a hosted domain; @server or @client: the limits of the server, or of clients"},
    {"NAME", "a plan of the configuration; `tollgate plan show' lists them"},
    {.name = NULL}};
static const struct options_row rows[] = {{.name = "force",
                                           OPTIONS_FLAG,
                                           offsetof(struct plan_command, force),
                                           NULL,
                                           "even if the domain is not hosted"},
                                          {.name = "format",
                                           OPTIONS_CHOICE,
                                           offsetof(struct plan_command, format),
                                           "table|json",
                                           "output format of plan show",
                                           .choices = formats},
                                          {.name = NULL}};
static const struct options_table table = {
    .command = "plan",
    .verbs = verbs,
    .synopsis = "plan set D NAME [--force]\n"
                "       tollgate plan unset D\n"
                "       tollgate plan show [D] [--format table|json]",
    .words = words,
    .rows = rows,
    .words_least = 1,
    .words_most = 3,
    .missing = "expected set, unset or show",
    .notes = "Takes effect on all nodes within 5 seconds and overrides throttle.assign; overrides "
             "(tollgate limit) take precedence over any plan. What has been consumed stays "
             "consumed."};

static int check(const struct plan_command *w, char **typed)
{
    if (w->verb == VERB_SET && w->plan_typed == NULL)
        return cli_usage("plan", "plan set needs D NAME, such as: plan set example.com business");
    if (w->verb == VERB_UNSET && w->holder_typed == NULL)
        return cli_usage("plan", "plan unset needs D, such as: plan unset example.com");
    if (w->verb != VERB_SET && w->plan_typed != NULL)
        return cli_usage("plan", "unexpected argument \"%s\"", typed[2]);
    if (w->verb != VERB_SET && w->force)
        return cli_usage("plan", "--force needs plan set");
    if (w->verb != VERB_SHOW && w->format >= 0)
        return cli_usage("plan", "--format needs plan show");
    return EX_OK;
}

static int parse(struct plan_command *w, int argc, char **argv)
{
    char **typed;
    int verb, code = options_parse_verb(&table, w->cli, w, argc, argv, &typed, &verb);

    if (code != EX_OK)
        return code;
    w->verb = (enum plan_verb)verb;
    w->holder_typed = typed[1];
    w->plan_typed = typed[1] != NULL ? typed[2] : NULL;
    return check(w, typed);
}

/* --- set, unset ------------------------------------------------------------------------------ */

static struct limit_change change_of(struct plan_command *w)
{
    return (struct limit_change){.setup = &w->setup,
                                 .holder = &w->holder,
                                 .limits = &w->limits,
                                 .arena = &w->arena,
                                 .author = cli_author()};
}

static int unknown_plan(const struct plan_command *w)
{
    const struct settings *s = w->cli->settings;
    const char *names[PLANS_SHOWN];
    size_t count = 0;

    for (; count < s->plan_count && count < PLANS_SHOWN; count++)
        names[count] = s->plans[count].name.ptr;
    return cli_unknown("plan", "plan", w->plan_typed, names, count);
}

static int set(struct plan_command *w)
{
    struct limit_change change = change_of(w);
    struct err err = {0};
    int code;

    if (limit_rules_plan(w->setup.rules, slice_str(w->plan_typed)) == NULL)
        return unknown_plan(w);
    code = holder_check(&w->holder, w->force);
    if (code != EX_OK)
        return code;
    cli_log(w->cli);
    if (limit_change_plan_set(&change, slice_str(w->plan_typed), &err) != 0)
        return cli_fail(&err);
    (void)printf("%.*s: the plan is %s. Takes effect on all nodes within 5 seconds.\n",
                 SLICE_FMT(w->holder.rules), w->plan_typed);
    return EX_OK;
}

static int say_unset(struct plan_command *w, bool removed)
{
    struct holder_limits l;
    struct err err = {0};
    struct slice plan;

    if (holder_limits_read(&w->setup, &w->holder, clock_unix_ms() / 1000, &w->arena, &l, &err) != 0)
        return cli_fail(&err);
    plan = l.plan != NULL ? l.plan->name : SLICE("none");
    (void)printf("%.*s: %s; the plan is %.*s (%s).\n", SLICE_FMT(w->holder.rules),
                 removed ? "the plan set at run time is removed" : "no plan was set at run time",
                 SLICE_FMT(plan), holder_plan_origin_text(l.origin));
    return EX_OK;
}

static int unset(struct plan_command *w)
{
    struct limit_change change = change_of(w);
    struct err err = {0};
    bool removed;

    cli_log(w->cli);
    if (limit_change_plan_unset(&change, &removed, &err) != 0)
        return cli_fail(&err);
    return say_unset(w, removed);
}

/* --- show ------------------------------------------------------------------------------------ */

/* All plans of the configuration: nothing of the store is wanted. */
static int show_plans(struct plan_command *w)
{
    int code = cli_load(w->cli);

    if (code == EX_OK && w->format == 1)
        return limit_show_plans_json(w->cli->settings->plans, w->cli->settings->plan_count);
    for (size_t i = 0; code == EX_OK && i < w->cli->settings->plan_count; i++) {
        const struct plan *plan = &w->cli->settings->plans[i];

        (void)printf("%s%.*s\n", i > 0 ? "\n" : "", SLICE_FMT(plan->name));
        code = limit_show_plan(plan);
    }
    return code;
}

static int show(struct plan_command *w)
{
    struct usage_rows none = {.count = 0};
    struct holder_limits l;
    struct err err = {0};
    struct buf b;
    int code;

    if (holder_limits_read(&w->setup, &w->holder, clock_unix_ms() / 1000, &w->arena, &l, &err) != 0)
        return cli_fail(&err);
    if (w->format == 1)
        return limit_show(&w->setup, &w->holder, &l, &none, clock_unix_ms() / 1000, true);
    buf_init(&b, 65536);
    limit_show_head(&w->setup, &w->holder, &l, &b);
    buf_add_char(&b, '\n');
    code = cli_write(&b);
    buf_fini(&b);
    return code == EX_OK && l.plan != NULL ? limit_show_plan(l.plan) : code;
}

/* --------------------------------------------------------------------------------------------- */

static int run(struct plan_command *w)
{
    struct err err = {0};
    int code;

    if (w->holder_typed == NULL)
        return show_plans(w);
    code = cli_setup(&w->setup, w->cli);
    if (code != EX_OK)
        return code;
    if (holder_parse(&w->setup, slice_str(w->holder_typed), &w->arena, &w->holder, &err) != 0)
        return cli_fail(&err);
    if (w->verb == VERB_SHOW)
        return show(w);
    if (holder_limits_read(&w->setup, &w->holder, clock_unix_ms() / 1000, &w->arena, &w->limits,
                           &err) != 0)
        return cli_fail(&err);
    return w->verb == VERB_SET ? set(w) : unset(w);
}

int command_plan(struct cli *cli, int argc, char **argv)
{
    struct plan_command w = {.cli = cli, .format = -1};
    int code = parse(&w, argc, argv);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&w.arena, ARENA_BYTES);
    code = run(&w);
    setup_close(&w.setup);
    arena_fini(&w.arena);
    return code;
}
