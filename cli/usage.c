/* tollgate usage: how much of its limits an account has used, and when there is room again. */
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/limit_show.h"
#include "cli/options.h"
#include "cli/usage_over.h"
#include "lib/admin/holder_usage.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/read/read_usage_rows.h"
#include "lib/sys/clock.h"
#include "lib/sys/json.h"

#define ARENA_BYTES ((size_t)256 << 20)
#define TEXT_BYTES  ((size_t)64 << 20)
#define USERS_SHOWN 5
#define TOP_MAX     10000
#define OVER_MAX    1000000
#define OVER_NOT    UINT64_MAX

static const char *const formats[] = {"table", "csv", "json", NULL};

struct usage_command {
    struct cli *cli;
    const char *holder_typed;
    struct options_list users_typed;
    uint64_t top, over; /* percent; OVER_NOT: not asked for */
    bool over_users;
    int format;

    struct setup setup;
    struct holder holder;
    struct holder_limits limits;
    struct name_list users;
    struct usage_rows rows;
    struct arena arena;
};

/* --- the command line ------------------------------------------------------------------------ */

static const struct options_word words[] = {
    {"D", "a hosted domain, alice@example.com, @customer:NAME, @server, or @client:192.0.2.1"},
    {.name = NULL}};
static const struct options_row rows[] = {
    {.name = "user",
     OPTIONS_LIST,
     offsetof(struct usage_command, users_typed),
     "U",
     "the limits of this user instead of those of the busiest users; may be given more than once"},
    {.name = "top",
     OPTIONS_NUMBER,
     offsetof(struct usage_command, top),
     "N",
     "how many users (5); 0: none",
     .most = TOP_MAX},
    {.name = "over",
     OPTIONS_NUMBER,
     offsetof(struct usage_command, over),
     "PERCENT",
     "instead of one account: all domains, and the server, that have used so much of a limit",
     .most = OVER_MAX},
    {.name = "users",
     OPTIONS_FLAG,
     offsetof(struct usage_command, over_users),
     .help = "with --over: the limits of users, too"},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct usage_command, format),
     "FORMAT",
     "table (default), csv or json",
     .choices = formats},
    {.name = NULL}};
static const struct options_table table = {
    .command = "usage",
    .synopsis = "usage D [--user U]... [--top N] [--format table|csv|json]\n"
                "       tollgate usage --over PERCENT [--users] [--format table|csv|json]",
    .words = words,
    .rows = rows,
    .words_most = 1,
    .notes = "Every limit in force, how much of it is used, and when there is room again. Looking "
             "consumes nothing."};

/* alice@example.com is `example.com --user alice@example.com'. */
static int take_account(struct usage_command *w, const char *typed)
{
    const char *at = strrchr(typed, '@');

    w->holder_typed = typed;
    if (at == NULL || at == typed)
        return EX_OK;
    w->holder_typed = at + 1;
    return options_list_add(&w->users_typed, typed);
}

static int check(const struct usage_command *w, const char *typed)
{
    if (w->over != OVER_NOT && (typed != NULL || w->users_typed.count > 0))
        return cli_usage("usage", "--over is about all accounts: name none");
    if (w->over == OVER_NOT && w->over_users)
        return cli_usage("usage", "--users needs --over");
    if (w->over == OVER_NOT && typed == NULL)
        return cli_usage("usage", "name a domain, a user, @server or @client:IP");
    return EX_OK;
}

static int parse(struct usage_command *w, int argc, char **argv)
{
    char **typed;
    int code = options_parse(&table, w->cli, w, argc, argv, &typed);

    if (code != EX_OK)
        return code;
    code = check(w, typed[0]);
    return code == EX_OK && typed[0] != NULL ? take_account(w, typed[0]) : code;
}

/* --- whose ----------------------------------------------------------------------------------- */

static int take_user(struct usage_command *w, const char *typed, struct err *err)
{
    struct address a;
    struct slice name;

    if (address_parse(slice_str(typed), &w->arena, &a, err) != 0)
        return cli_bad_value(err, "--user", typed);
    if (a.domain.len == 0)
        return err_set(err, EX_USAGE,
                       "--user %s: give the whole address, such as alice@example.com", typed);
    name = hosted_user(w->setup.hosted, &a, &w->arena);
    if (name.ptr == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    w->users.items[w->users.count++] = name;
    return 0;
}

/* Those that were named, each with all its limits. */
static int read_named(struct usage_command *w, struct err *err)
{
    if (w->holder.kind != HOLDER_IS_DOMAIN)
        return err_set(err, EX_USAGE, "--user needs a domain");
    w->users.items = arena_array(&w->arena, w->users_typed.count, sizeof *w->users.items);
    if (w->users.items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < w->users_typed.count; i++) {
        if (take_user(w, w->users_typed.items[i], err) != 0)
            return -1;
    }
    if (holder_usage_of(&w->cli->reader, &w->holder, &w->limits, &w->users, &w->arena, &w->rows,
                        err) != 0)
        return -1;
    return holder_usage_forecast(&w->cli->reader, &w->holder, &w->rows, &w->arena, err);
}

static int read_all(struct usage_command *w, struct err *err)
{
    int64_t now_s = clock_unix_ms() / 1000;

    if (holder_parse(&w->setup, slice_str(w->holder_typed), &w->arena, &w->holder, err) != 0)
        return -1;
    if (w->holder.kind == HOLDER_IS_CLIENTS)
        return err_set(err, EX_USAGE, "each client has its own: name one, as @client:192.0.2.1");
    if (holder_limits_read(&w->setup, &w->holder, now_s, &w->arena, &w->limits, err) != 0)
        return -1;
    if (w->users_typed.count > 0)
        return read_named(w, err);
    if (holder_usage_read(&w->cli->reader, &w->holder, &w->limits, now_s, (size_t)w->top, &w->arena,
                          &w->rows, err) != 0 ||
        holder_usage_forecast(&w->cli->reader, &w->holder, &w->rows, &w->arena, err) != 0)
        return -1;
    return w->holder.is_exempt ? 0
                               : holder_usage_add_customer(&w->setup, &w->cli->reader, &w->holder,
                                                           now_s, &w->arena, &w->rows, err);
}

/* --- showing --------------------------------------------------------------------------------- */

static void fill(struct usage_command *w, struct table *list, bool own, bool users, bool utf8)
{
    table_init(list, read_usage_columns, read_usage_column_count, &w->arena);
    for (size_t i = 0; i < w->rows.count; i++) {
        const struct usage_row *row = &w->rows.list[i];

        if (row->user.len > 0 ? users : own)
            read_usage_add_row(list, row, w->rows.now_ms, utf8);
    }
}

static bool users_have_limits(const struct usage_command *w)
{
    for (size_t i = 0; i < w->limits.count; i++) {
        if (w->limits.limits[i].scope == LIMIT_USER)
            return true;
    }
    return false;
}

static void add_exempt_users(const struct usage_command *w, struct buf *b)
{
    for (size_t i = 0; w->users_typed.count > 0 && i < w->users.count; i++) {
        struct slice user = w->users.items[i];

        if (strmap_find(&w->setup.rules->exempt.users, user) == NULL)
            continue;
        buf_add_char(b, '\n');
        format_text(b, user);
        buf_add_str(b, " is exempt by throttle.exempt.users: no limit applies.\n");
    }
}

static void add_tables(struct usage_command *w, struct buf *b)
{
    struct render_style style;
    struct table own, users;

    cli_style(&style);
    fill(w, &own, true, false, style.utf8);
    fill(w, &users, false, true, style.utf8);
    limit_show_head(&w->setup, &w->holder, &w->limits, b);
    buf_add_char(b, '\n');
    if (w->limits.count == 0)
        buf_add_str(b, "No limit is in force.\n");
    if (own.row_count > 0) {
        table_table(&own, &style, true, b);
        table_note_hidden(&own, &style, b);
    }
    if (!users_have_limits(w) || (w->top == 0 && w->users_typed.count == 0))
        return;
    buf_add_str(b, own.row_count > 0 ? "\n" : "");
    if (users.row_count > 0)
        table_table(&users, &style, true, b);
    else if (w->cli->settings->accounting.users)
        buf_add_str(b, "No user has used any of the limits of users.\n");
    else
        buf_add_str(b, "Users are not counted (accounting.users); name them with --user.\n");
    add_exempt_users(w, b);
}

static void add_text(struct usage_command *w, struct buf *b)
{
    add_tables(w, b);
    limit_show_forecasts(&w->rows, b);
}

static json_t *to_json(struct usage_command *w, const struct table *list)
{
    json_t *o = json_object();
    const struct plan *plan = w->limits.plan;

    (void)json_object_set_new(o, "account", json_text(w->holder.name));
    (void)json_object_set_new(o, "plan", plan != NULL ? json_text(plan->name) : json_null());
    (void)json_object_set_new(o, "mode",
                              json_string(w->setup.rules->observe ? "observe" : "enforce"));
    (void)json_object_set_new(o, "exempt", json_boolean(w->holder.is_exempt));
    (void)json_object_set_new(o, "limits", table_json(list));
    return o;
}

static int show(struct usage_command *w)
{
    struct table all;
    struct buf b;
    int code;

    buf_init(&b, TEXT_BYTES);
    fill(w, &all, true, true, false);
    if (w->format == 0)
        add_text(w, &b);
    else if (w->format == 1)
        table_csv(&all, true, &b);
    else
        cli_add_json(&b, to_json(w, &all));
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

static int show_over(struct usage_command *w)
{
    struct holder_over_question q = {
        .percent = w->over, .users = w->over_users, .now_s = clock_unix_ms() / 1000};

    return usage_over(w->cli, &w->setup, &q, w->format);
}

static int run(struct usage_command *w)
{
    struct err err = {0};
    int code = cli_setup(&w->setup, w->cli);

    if (code != EX_OK)
        return code;
    if (w->over != OVER_NOT)
        return show_over(w);
    return read_all(w, &err) == 0 ? show(w) : cli_fail(&err);
}

int command_usage(struct cli *cli, int argc, char **argv)
{
    struct usage_command w = {.cli = cli, .top = USERS_SHOWN, .over = OVER_NOT};
    int code;

    arena_init(&w.arena, ARENA_BYTES);
    code = parse(&w, argc, argv);
    code = code == OPTIONS_DONE ? EX_OK : code != EX_OK ? code : run(&w);
    setup_close(&w.setup);
    options_list_free(&w.users_typed);
    arena_fini(&w.arena);
    return code;
}
