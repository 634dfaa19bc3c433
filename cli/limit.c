/* tollgate limit: overrides of limits, given at run time. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/holder.h"
#include "cli/limit_show.h"
#include "cli/text.h"
#include "lib/core/format.h"
#include "lib/sys/clock.h"
#include "lib/throttle/account_change.h"

#define ARENA_BYTES ((size_t)16 << 20)

static const char help[] =
    "usage: tollgate limit set D NAME MAX [--action log|hold|defer|reject] [--soft PERCENT]\n"
    "                      [--forwards[=no]] [--until DATE] [--reason TEXT] [--force]\n"
    "       tollgate limit unset D NAME\n"
    "       tollgate limit show D [--format table|json]\n"
    "\n"
    "  D             a hosted domain; @server, @client: the server's limits, those of clients\n"
    "  NAME          scope/metric/window: domain/recipients/hour, user/bytes/month ...\n"
    "  MAX           a number, a size (10GB), or unlimited\n"
    "  --action A    what happens to a message over it; this and the next two are the plan's\n"
    "                where they are not given\n"
    "  --soft N      an event at N percent; 0: none\n"
    "  --forwards    it may stop inbound mail when a forwarder's owner is over it\n"
    "  --until DATE  the last day that it holds: 2026-11-30; or for how long: +3days, +12hours\n"
    "  --reason TEXT why, for those who look later\n"
    "  --force       also for a domain that is not hosted\n"
    "\n"
    "It holds within 5 seconds, on all nodes. What was consumed stays consumed.\n";

enum limit_option {
    OPT_ACTION = 256,
    OPT_SOFT,
    OPT_FORWARDS,
    OPT_UNTIL,
    OPT_REASON,
    OPT_FORCE,
    OPT_FORMAT
};

static const struct option options[] = {{"action", required_argument, NULL, OPT_ACTION},
                                        {"soft", required_argument, NULL, OPT_SOFT},
                                        {"forwards", optional_argument, NULL, OPT_FORWARDS},
                                        {"until", required_argument, NULL, OPT_UNTIL},
                                        {"reason", required_argument, NULL, OPT_REASON},
                                        {"force", no_argument, NULL, OPT_FORCE},
                                        {"format", required_argument, NULL, OPT_FORMAT},
                                        {NULL, 0, NULL, 0}};

static const char *const verbs[] = {"set", "unset", "show"};
enum limit_verb { VERB_SET, VERB_UNSET, VERB_SHOW };
static const char *const actions[] = {"log", "hold", "defer", "reject"};
static const char *const answers[] = {"no", "yes"};
static const char *const formats[] = {"table", "json"};

struct command_line {
    struct cli *cli;
    enum limit_verb verb;
    const char *holder, *name, *max, *until, *reason;
    int action, forwards, format; /* -1: not given */
    uint64_t soft;
    bool has_soft, force;
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

static bool set_choice(const char *option, const char *const *names, size_t count, int *value)
{
    *value = cli_option_choice("limit", option, names, count);
    return *value >= 0;
}

static bool set_soft(struct command_line *c)
{
    c->has_soft = true;
    if (slice_number(slice_str(optarg), &c->soft) && c->soft < 100)
        return true;
    (void)cli_usage("limit", "--soft wants a percentage from 1 to 99, or 0 for none, not \"%s\"",
                    optarg);
    return false;
}

static bool set_option(struct command_line *c, int id)
{
    switch (id) {
    case OPT_ACTION:
        return set_choice("--action", actions, 4, &c->action);
    case OPT_SOFT:
        return set_soft(c);
    case OPT_FORWARDS:
        if (optarg == NULL)
            return c->forwards = 1, true;
        return set_choice("--forwards", answers, 2, &c->forwards);
    case OPT_UNTIL:
        c->until = optarg;
        return true;
    case OPT_REASON:
        c->reason = optarg;
        return true;
    case OPT_FORCE:
        c->force = true;
        return true;
    default:
        return set_choice("--format", formats, 2, &c->format);
    }
}

static int find_verb(struct command_line *c, const char *typed)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(typed, verbs[i]) == 0) {
            c->verb = (enum limit_verb)i;
            return EX_OK;
        }
    }
    return cli_unknown("limit", "thing to do with limits", typed, verbs, 3);
}

static bool has_set_options(const struct command_line *c)
{
    return c->action >= 0 || c->forwards >= 0 || c->until != NULL || c->reason != NULL ||
           c->has_soft || c->force;
}

static int check(const struct command_line *c, int words)
{
    static const char *const wanted[] = {("D NAME MAX: limit set example.com "
                                          "domain/recipients/hour 2000"),
                                         "D NAME: limit unset example.com domain/recipients/hour",
                                         "D: limit show example.com"};
    static const int counts[] = {3, 2, 1};

    if (words != counts[c->verb])
        return cli_usage("limit", "limit %s wants %s", verbs[c->verb], wanted[c->verb]);
    if (c->verb != VERB_SET && has_set_options(c))
        return cli_usage("limit", "limit %s takes no such option", verbs[c->verb]);
    if (c->verb != VERB_SHOW && c->format >= 0)
        return cli_usage("limit", "--format goes with limit show");
    return EX_OK;
}

static int parse(struct command_line *c, int argc, char **argv)
{
    int id, code, words;

    while ((id = cli_option_next(c->cli, help, argc, argv, options)) != OPTION_END) {
        if (id == OPTION_HELP)
            return OPTION_HELP;
        if (id == OPTION_WRONG || !set_option(c, id))
            return EX_USAGE;
    }
    words = argc - optind - 1;
    if (words < 0)
        return cli_usage("limit", "set, unset or show?");
    code = find_verb(c, argv[optind]);
    if (code == EX_OK)
        code = check(c, words);
    if (code != EX_OK)
        return code;
    c->holder = argv[optind + 1];
    c->name = words > 1 ? argv[optind + 2] : NULL;
    c->max = words > 2 ? argv[optind + 3] : NULL;
    return EX_OK;
}

/* --- set ------------------------------------------------------------------------------------- */

/* Who runs the command: behind sudo, who called it. */
static struct slice author(void)
{
    static const char *const names[] = {"SUDO_USER", "USER", "LOGNAME"};
    const struct passwd *user;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *name = getenv(names[i]);

        if (name != NULL && name[0] != '\0')
            return slice_str(name);
    }
    user = getpwuid(getuid());
    return user != NULL ? slice_str(user->pw_name) : SLICE("unknown");
}

/* `+3days`: from now on; a date: to its end. */
static int until_parse(struct limit_command *w, const char *text, int64_t *until_s, struct err *err)
{
    time_t start, end;
    int64_t length_ms;
    struct slice per;
    int result;

    if (text[0] == '+' && strcmp(text, "+month") != 0) {
        result = limit_parse_per(slice_str(text + 1), &w->arena, &length_ms, &per, err);
        if (result == 0)
            *until_s = w->now_s + length_ms / 1000;
    } else {
        result = period_date_parse(slice_str(text), (time_t)w->now_s, &start, &end, err);
        if (result == 0)
            *until_s = (int64_t)end;
    }
    if (result == 0 && *until_s <= w->now_s)
        result = err_set(err, EX_USAGE, "that is over already");
    return result == 0 ? 0 : cli_bad_value(err, "--until", text);
}

/* From which a new limit takes over what is not said: the override of its name that holds, else the
 * strongest of the plan; NULL: none is there. */
static const struct limit *predecessor(const struct limit_command *w, const struct limit *l)
{
    const struct limit *found = holder_override(&w->limits, l, w->now_s);
    const struct plan *plan = w->limits.plan;

    if (found != NULL || plan == NULL)
        return found;
    for (size_t i = 0; i < plan->count; i++) {
        const struct limit *planned = &plan->limits[i];

        if (limit_same_name(planned, l) && (found == NULL || planned->action > found->action))
            found = planned;
    }
    return found;
}

static void take_over(const struct limit_command *w, struct limit *l)
{
    const struct limit *before = predecessor(w, l);

    if (before == NULL)
        return;
    l->action = before->action;
    l->soft_percent = before->soft_percent;
    l->forwards = before->forwards;
}

static int limit_make(struct limit_command *w, struct limit *l, struct err *err)
{
    const struct command_line *c = w->typed;

    *l = (struct limit){.action = ACTION_DEFER};
    if (limit_parse_name(slice_str(c->name), &w->arena, l, err) != 0 ||
        limit_parse_max(slice_str(c->max), l->metric, &l->max, err) != 0) {
        err->code = EX_USAGE;
        return -1;
    }
    if (!holder_has_scope(&w->holder, l->scope))
        return err_set(err, EX_USAGE, "%s has limits of the scope %s, not %s", c->holder,
                       holder_scopes(&w->holder), limit_scope_name(l->scope));
    if (c->until != NULL && until_parse(w, c->until, &l->until_s, err) != 0)
        return -1;
    take_over(w, l);
    if (c->action >= 0)
        l->action = (enum limit_action)c->action;
    if (c->has_soft)
        l->soft_percent = (unsigned)c->soft;
    if (c->forwards >= 0)
        l->forwards = c->forwards == 1;
    l->reason = slice_str(c->reason);
    l->author = author();
    return 0;
}

static void add_before(const struct limit_command *w, const struct limit *l, struct buf *b)
{
    const char *between = " (before: ";
    bool any = false;

    for (size_t i = 0; i < w->limits.count; i++) {
        if (!limit_same_name(&w->limits.limits[i], l))
            continue;
        buf_add_str(b, between);
        text_amount(b, l->metric, w->limits.limits[i].max);
        between = ", ";
        any = true;
    }
    buf_add_str(b, any ? ")" : " (before: none)");
}

static int say_set(const struct limit_command *w, const struct limit *l)
{
    struct buf b;
    int code;

    buf_init(&b, 65536);
    format_text(&b, w->holder.rules);
    buf_add_str(&b, ": ");
    limit_name(l, &b);
    buf_add_str(&b, " is ");
    text_amount(&b, l->metric, l->max);
    add_before(w, l, &b);
    if (l->max != LIMIT_UNLIMITED)
        buf_addf(&b, "\nA message over it is %s.", text_stopped(l->action));
    if (l->max != LIMIT_UNLIMITED && w->setup.rules->observe && l->action != ACTION_LOG)
        buf_add_str(&b, " But throttle.mode is \"observe\": nothing is\nstopped, what would "
                        "have been is logged and counted.");
    buf_add_str(&b, "\nIt holds within 5 seconds, on all nodes");
    if (l->until_s != 0) {
        buf_add_str(&b, ", until ");
        text_time(&b, l->until_s);
    }
    buf_add_str(&b, ".\n");
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

static struct account_change change_of(const struct limit_command *w)
{
    return (struct account_change){.store = w->setup.cli->store,
                                   .prefix = w->setup.cli->settings->store.prefix,
                                   .holder = w->holder.rules,
                                   .timeout_ms = READ_TIMEOUT_MS};
}

static int set(struct limit_command *w)
{
    struct account_change change = change_of(w);
    struct err err = {0};
    struct limit l;
    int code;

    if (limit_make(w, &l, &err) != 0)
        return cli_fail(&err);
    code = holder_check(&w->holder, w->typed->force);
    if (code != EX_OK)
        return code;
    return account_change_override_set(&change, &l, &err) == 0 ? say_set(w, &l) : cli_fail(&err);
}

/* --- unset ----------------------------------------------------------------------------------- */

static int unset(struct limit_command *w)
{
    struct account_change change = change_of(w);
    struct limit l = {.action = ACTION_DEFER};
    struct err err = {0};
    struct buf b;
    size_t removed;
    int code;

    if (account_change_override_unset(&change, slice_str(w->typed->name), &removed, &err) != 0)
        return cli_fail(&err);
    if (limit_parse_name(slice_str(w->typed->name), &w->arena, &l, &err) != 0 && removed == 0) {
        err.code = EX_USAGE;
        return cli_fail(&err);
    }
    if (holder_limits_read(&w->setup, &w->holder, w->now_s, &w->arena, &w->limits, &err) != 0)
        return cli_fail(&err);
    buf_init(&b, 65536);
    format_text(&b, w->holder.rules);
    buf_addf(&b, "%s %s\n", removed > 0 ? ": removed the override of" : " has no override of",
             w->typed->name);
    if (l.per.len > 0)
        limit_show_name(&w->limits, &l, &b);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

/* --------------------------------------------------------------------------------------------- */

static int run(struct limit_command *w)
{
    struct err err = {0};
    int code = setup_open(&w->setup, w->typed->cli);

    if (code != EX_OK)
        return code;
    w->now_s = clock_unix_ms() / 1000;
    if (holder_parse(&w->setup, w->typed->holder, &w->arena, &w->holder, &err) != 0 ||
        holder_limits_read(&w->setup, &w->holder, w->now_s, &w->arena, &w->limits, &err) != 0)
        return cli_fail(&err);
    switch (w->typed->verb) {
    case VERB_SET:
        return set(w);
    case VERB_UNSET:
        return unset(w);
    case VERB_SHOW:
        break;
    }
    return limit_show(&w->setup, &w->holder, &w->limits, w->now_s, w->typed->format == 1);
}

int command_limit(struct cli *cli, int argc, char **argv)
{
    struct command_line typed = {.cli = cli, .action = -1, .forwards = -1, .format = -1};
    struct limit_command w = {.typed = &typed};
    int code = parse(&typed, argc, argv);

    if (code != EX_OK)
        return code == OPTION_HELP ? EX_OK : code;
    arena_init(&w.arena, ARENA_BYTES);
    code = run(&w);
    setup_close(&w.setup);
    arena_fini(&w.arena);
    return code;
}
