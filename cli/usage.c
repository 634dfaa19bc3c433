/* tollgate usage: how much of its limits an account has used, and when there is room again. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/limit_show.h"
#include "cli/usage_rows.h"
#include "lib/core/format.h"
#include "lib/sys/clock.h"
#include "lib/sys/json.h"

#define ARENA_BYTES  ((size_t)256 << 20)
#define TEXT_BYTES   ((size_t)64 << 20)
#define USERS_SHOWN  5
#define USERS_LOOKED 50 /* of which the fullest are shown: at least as many */
#define TOP_MAX      10000

static const char help[] =
    "usage: tollgate usage D [--user U ...] [--top N] [--format table|csv|json]\n"
    "\n"
    "  D          a hosted domain, @server, or @client:192.0.2.1\n"
    "  --user U   the limits of this user, in place of the busiest users'; as often as wanted\n"
    "  --top N    how many users (5); 0: none\n"
    "\n"
    "Every limit that holds, how much of it is used, and when there is room again. Nothing is\n"
    "consumed by looking.\n";

enum usage_option { OPT_USER = 256, OPT_TOP, OPT_FORMAT };

static const struct option options[] = {{"user", required_argument, NULL, OPT_USER},
                                        {"top", required_argument, NULL, OPT_TOP},
                                        {"format", required_argument, NULL, OPT_FORMAT},
                                        {NULL, 0, NULL, 0}};

static const char *const formats[] = {"table", "csv", "json"};

struct usage_command {
    struct cli *cli;
    const char *holder_typed;
    const char **users_typed;
    size_t user_count, user_room;
    uint64_t top;
    int format;

    struct setup setup;
    struct holder holder;
    struct holder_limits limits;
    struct name_list users;
    struct usage_rows rows;
    struct arena arena;
};

/* --- the command line ------------------------------------------------------------------------ */

static bool add_user(struct usage_command *w)
{
    const char **list =
        arena_grow(&w->arena, w->users_typed, w->user_count, &w->user_room, sizeof *list);

    if (list == NULL)
        return false;
    w->users_typed = list;
    list[w->user_count++] = optarg;
    return true;
}

static bool set_option(struct usage_command *w, int id)
{
    switch (id) {
    case OPT_USER:
        return add_user(w);
    case OPT_TOP:
        if (slice_number(slice_str(optarg), &w->top) && w->top <= TOP_MAX)
            return true;
        (void)cli_usage("usage", "--top wants a number up to %d, not \"%s\"", TOP_MAX, optarg);
        return false;
    default:
        w->format = cli_option_choice("usage", "--format", formats, 3);
        return w->format >= 0;
    }
}

static int parse(struct usage_command *w, int argc, char **argv)
{
    int id;

    while ((id = cli_option_next(w->cli, help, argc, argv, options)) != OPTION_END) {
        if (id == OPTION_HELP)
            return OPTION_HELP;
        if (id == OPTION_WRONG || !set_option(w, id))
            return EX_USAGE;
    }
    if (optind == argc)
        return cli_usage("usage", "whose? Name a domain, @server or @client:IP");
    if (optind + 1 < argc)
        return cli_usage("usage", "one account at a time: what is \"%s\"?", argv[optind + 1]);
    w->holder_typed = argv[optind];
    return EX_OK;
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
    name = address_user(&a, &w->arena);
    if (name.ptr == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    w->users.items[w->users.count++] = name;
    return 0;
}

static int find_users(struct usage_command *w, struct err *err)
{
    size_t most = w->top > 0 && w->top < USERS_LOOKED ? USERS_LOOKED : (size_t)w->top;

    if (w->user_count == 0)
        return usage_busiest(&w->cli->reader, &w->holder, &w->limits, clock_unix_ms() / 1000, most,
                             &w->arena, &w->users, err);
    if (w->holder.kind != HOLDER_IS_DOMAIN)
        return err_set(err, EX_USAGE, "--user goes with a domain");
    w->users.items = arena_array(&w->arena, w->user_count, sizeof *w->users.items);
    if (w->users.items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < w->user_count; i++) {
        if (take_user(w, w->users_typed[i], err) != 0)
            return -1;
    }
    return 0;
}

static int by_fullness(const void *a, const void *b)
{
    return usage_compare(a, b);
}

/* Behind the account's own rows (which stand first) those of the fullest users. */
static void order_users(struct usage_command *w)
{
    size_t own = 0;

    while (own < w->rows.count && w->rows.list[own].user.len == 0)
        own++;
    if (w->user_count > 0 || own == w->rows.count)
        return;
    qsort(w->rows.list + own, w->rows.count - own, sizeof *w->rows.list, by_fullness);
    if (w->rows.count - own > w->top)
        w->rows.count = own + (size_t)w->top;
}

static int read_all(struct usage_command *w, struct err *err)
{
    if (holder_parse(&w->setup, w->holder_typed, &w->arena, &w->holder, err) != 0)
        return -1;
    if (w->holder.kind == HOLDER_IS_CLIENTS)
        return err_set(err, EX_USAGE, "each client has its own: name one, as @client:192.0.2.1");
    if (holder_limits_read(&w->setup, &w->holder, clock_unix_ms() / 1000, &w->arena, &w->limits,
                           err) != 0 ||
        find_users(w, err) != 0 ||
        usage_read(&w->cli->reader, &w->holder, &w->limits, &w->users, &w->arena, &w->rows, err) !=
            0)
        return -1;
    order_users(w);
    return 0;
}

/* --- showing --------------------------------------------------------------------------------- */

static void fill(struct usage_command *w, struct table *list, bool own, bool users, bool utf8)
{
    table_init(list, usage_columns, usage_column_count, &w->arena);
    for (size_t i = 0; i < w->rows.count; i++) {
        const struct usage_row *row = &w->rows.list[i];

        if (row->user.len > 0 ? users : own)
            usage_add_row(list, row, w->rows.now_ms, utf8);
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

static void add_text(struct usage_command *w, struct buf *b)
{
    struct render_style style;
    struct table own, users;

    cli_style(&style);
    fill(w, &own, true, false, style.utf8);
    fill(w, &users, false, true, style.utf8);
    limit_show_head(&w->setup, &w->holder, &w->limits, b);
    buf_add_char(b, '\n');
    if (w->limits.count == 0)
        buf_add_str(b, "No limit holds.\n");
    if (own.row_count > 0)
        table_table(&own, &style, true, b);
    if (!users_have_limits(w) || (w->top == 0 && w->user_count == 0))
        return;
    buf_add_str(b, own.row_count > 0 ? "\n" : "");
    if (users.row_count > 0)
        table_table(&users, &style, true, b);
    else if (w->cli->settings->accounting.users)
        buf_add_str(b, "No user has used anything of the limits of users.\n");
    else
        buf_add_str(b, "Users are not counted (accounting.users): name them by --user.\n");
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

static int run(struct usage_command *w)
{
    struct err err = {0};
    int code = setup_open(&w->setup, w->cli);

    if (code != EX_OK)
        return code;
    return read_all(w, &err) == 0 ? show(w) : cli_fail(&err);
}

int command_usage(struct cli *cli, int argc, char **argv)
{
    struct usage_command w = {.cli = cli, .top = USERS_SHOWN};
    int code;

    arena_init(&w.arena, ARENA_BYTES);
    code = parse(&w, argc, argv);
    code = code == OPTION_HELP ? EX_OK : code != EX_OK ? code : run(&w);
    setup_close(&w.setup);
    arena_fini(&w.arena);
    return code;
}
