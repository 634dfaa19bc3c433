/* tollgate adjust: corrections beside the figures. */
#include "cli/adjust.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/options.h"
#include "lib/admin/adjustment_change.h"
#include "lib/billing/bill_book.h"
#include "lib/core/address.h"
#include "lib/core/classify.h"
#include "lib/core/period.h"
#include "lib/sys/clock.h"
#include "lib/sys/secret.h"

#define ARENA_BYTES   ((size_t)1 << 30)
#define ID_CHARACTERS 16
#define ID_BYTES      256

static const char *const verbs[] = {"add", "list", "revoke", NULL};
enum adjust_verb { VERB_ADD, VERB_LIST, VERB_REVOKE };
static const char *const format_names[] = {"table", "csv", "json", NULL};
static const enum format formats[] = {FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON};

struct adjust_command {
    struct cli *cli;
    enum adjust_verb verb;
    char **words; /* behind the verb */
    const char *period, *reason, *evidence, *id;
    int format;
    int64_t now_s;
    struct name_list accounts;
    struct adjustment_list list;
    struct arena arena;
};

static const struct options_word words[] = {
    {"D", "a domain, or _unattributed"},
    {"FIELD", "a counter, such as out_messages; tollgate-keys(7) lists them"},
    {"N", "what is to be added: -12, +300"},
    {"ID", "the id of an adjustment, as adjust list has it"},
    {.name = NULL}};
static const struct options_row rows[] = {
    {.name = "period",
     OPTIONS_TEXT,
     offsetof(struct adjust_command, period),
     "P",
     "the month, such as 2026-11; adjust list: only this one"},
    {.name = "reason",
     OPTIONS_TEXT,
     offsetof(struct adjust_command, reason),
     "TEXT",
     "why; kept with it"},
    {.name = "evidence",
     OPTIONS_TEXT,
     offsetof(struct adjust_command, evidence),
     "TEXT",
     "what shows it: a ticket, queue ids"},
    {.name = "id",
     OPTIONS_TEXT,
     offsetof(struct adjust_command, id),
     "ID",
     "a name of your own: given twice, it is added once (a random one)"},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct adjust_command, format),
     "table|csv|json",
     "output format of adjust list (table)",
     .choices = format_names},
    {.name = NULL}};
static const struct options_table table = {
    .command = "adjust",
    .synopsis = "adjust add D FIELD N --period P --reason TEXT [--evidence TEXT] [--id ID]\n"
                "       tollgate adjust list [D] [--period P] [--format table|csv|json]\n"
                "       tollgate adjust revoke ID [D] --reason TEXT",
    .words = words,
    .rows = rows,
    .words_least = 1,
    .words_most = 4,
    .missing = "expected add, list or revoke",
    .verbs = verbs,
    .notes = "An adjustment is never changed or removed: revoke adds the opposite, in the same "
             "month or, where that is closed, in the present one."};

/* --- the command line ------------------------------------------------------------------------ */

static size_t word_count(const struct adjust_command *w)
{
    size_t count = 0;

    while (w->words[count] != NULL)
        count++;
    return count;
}

static int check_add(const struct adjust_command *w)
{
    if (word_count(w) != 3)
        return cli_usage("adjust",
                         "add needs D FIELD N, such as: adjust add example.com out_messages -12 "
                         "--period 2026-11 --reason \"counted twice, ticket 4711\"");
    if (w->period == NULL || w->reason == NULL || w->reason[0] == '\0')
        return cli_usage("adjust", "add needs --period and --reason");
    return EX_OK;
}

static int check(const struct adjust_command *w)
{
    if (w->verb == VERB_ADD)
        return check_add(w);
    if (w->id != NULL || w->evidence != NULL)
        return cli_usage("adjust", "--id and --evidence need adjust add");
    if (w->verb == VERB_LIST && (word_count(w) > 1 || w->reason != NULL))
        return cli_usage("adjust", "list takes a domain, --period and --format");
    if (w->verb == VERB_REVOKE && (word_count(w) < 1 || word_count(w) > 2))
        return cli_usage("adjust", "revoke needs the ID of an adjustment");
    if (w->verb == VERB_REVOKE && (w->reason == NULL || w->reason[0] == '\0'))
        return cli_usage("adjust", "revoke needs --reason");
    return EX_OK;
}

/* "-12" would be read as an option: a blank before it makes it a word. */
static bool is_negative(const char *word)
{
    return word[0] == '-' && word[1] >= '0' && word[1] <= '9';
}

static int protect(struct adjust_command *w, int argc, char **argv, char **safe, struct err *err)
{
    for (int i = 0; i < argc; i++) {
        size_t len = strlen(argv[i]);
        char *copy = is_negative(argv[i]) ? arena_alloc(&w->arena, len + 2) : NULL;

        if (is_negative(argv[i]) && copy == NULL)
            return err_set(err, EX_OSERR, "out of memory");
        if (copy != NULL) {
            copy[0] = ' ';
            memcpy(copy + 1, argv[i], len);
        }
        safe[i] = copy != NULL ? copy : argv[i];
    }
    return 0;
}

static int parse(struct adjust_command *w, int argc, char **argv)
{
    char **safe = arena_array(&w->arena, (size_t)argc + 1, sizeof *safe), **typed;
    struct err err = {0};
    int code, verb;

    if (safe == NULL || protect(w, argc, argv, safe, &err) != 0)
        return cli_fail(&err);
    code = options_parse_verb(&table, w->cli, w, argc, safe, &typed, &verb);
    if (code != EX_OK)
        return code;
    w->verb = (enum adjust_verb)verb;
    w->words = typed + 1;
    return check(w);
}

/* --- accounts -------------------------------------------------------------------------------- */

static int find_account(struct adjust_command *w, const char *typed, struct slice *account,
                        struct err *err)
{
    bool is_account = false;

    if (strcmp(typed, ACCOUNT_UNATTRIBUTED) == 0)
        *account = slice_str(typed);
    else if (domain_canonical(slice_str(typed), &w->arena, account, err) != 0)
        return cli_bad_value(err, "domain", typed);
    if (read_is_account(&w->cli->reader, *account, &is_account, err) != 0)
        return -1;
    return is_account ? 0
                      : err_set(err, EX_USAGE,
                                "%.*s: nothing was ever counted for this domain, so there is "
                                "nothing to adjust",
                                SLICE_FMT(*account));
}

/* Those of the domain typed, or of all. */
static int read_list(struct adjust_command *w, const char *typed, const char *period,
                     struct err *err)
{
    struct slice *account = arena_array(&w->arena, 1, sizeof *account);

    w->accounts = (struct name_list){.items = account, .count = 1};
    if (account == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    if (typed != NULL ? find_account(w, typed, account, err) != 0
                      : read_accounts(&w->cli->reader, &w->arena, &w->accounts, err) != 0)
        return -1;
    return read_adjustments(&w->cli->reader, &w->accounts, slice_str(period), &w->arena, &w->list,
                            err);
}

/* --- add ------------------------------------------------------------------------------------- */

static int write_one(struct adjust_command *w, const struct adjustment_wish *wish,
                     const struct adjustment *a)
{
    struct err err = {0};
    int result;

    cli_log(w->cli);
    result = adjustment_change_add(w->cli->store, w->cli->settings, wish, a, &err);

    if (result < 0)
        return cli_fail(&err);
    if (result > 0)
        (void)printf("%.*s, %.*s: %.*s is there already; nothing was added.\n",
                     SLICE_FMT(wish->account), SLICE_FMT(wish->month), SLICE_FMT(wish->id));
    else
        (void)printf("%.*s, %.*s: added as %.*s\n", SLICE_FMT(wish->account),
                     SLICE_FMT(wish->month), SLICE_FMT(wish->id));
    return EX_OK;
}

static int add(struct adjust_command *w)
{
    char random[SECRET_TEXT];
    struct adjustment_wish wish = {.month = slice_str(w->period),
                                   .id = slice_str(w->id),
                                   .counter = slice_str(w->words[1]),
                                   .amount = slice_trim(slice_str(w->words[2])),
                                   .evidence = slice_str(w->evidence),
                                   .reason = slice_str(w->reason),
                                   .author = cli_author()};
    struct adjustment a;
    struct err err = {0};

    if (w->id == NULL) {
        secret_random(random);
        wish.id = slice_to(slice_str(random), ID_CHARACTERS);
    }
    if (find_account(w, w->words[0], &wish.account, &err) != 0 ||
        adjustment_change_make(&wish, w->now_s, &a, &err) != 0)
        return cli_fail(&err);
    return write_one(w, &wish, &a);
}

/* --- revoke ---------------------------------------------------------------------------------- */

static int find_entry(struct adjust_command *w, const struct adjustment_entry **found,
                      struct err *err)
{
    *found = NULL;
    if (read_list(w, w->words[1], w->period, err) != 0)
        return -1;
    for (size_t i = 0; i < w->list.count; i++) {
        if (!slice_equal(w->list.items[i].adjustment.id, slice_str(w->words[0])))
            continue;
        if (*found != NULL)
            return err_set(err, EX_USAGE,
                           "%s: there is more than one: name the domain, or --period", w->words[0]);
        *found = &w->list.items[i];
    }
    return *found != NULL ? 0
                          : err_set(err, EX_USAGE, "%s: there is no such adjustment", w->words[0]);
}

/* The month of the adjustment, or the present one where that is closed. */
static int open_month(struct adjust_command *w, struct slice month, char name[PERIOD_TEXT],
                      struct err *err)
{
    bool is_closed;

    if (bill_book_is_closed(w->cli->settings, &w->cli->reader, month, &is_closed, err) != 0)
        return -1;
    if (is_closed)
        period_name(PERIOD_MONTH, (time_t)w->now_s, name);
    else
        (void)snprintf(name, PERIOD_TEXT, "%.*s", SLICE_FMT(month));
    return 0;
}

static int revoke(struct adjust_command *w)
{
    const struct adjustment_entry *found;
    char month[PERIOD_TEXT], id[ID_BYTES];
    struct adjustment_wish wish = {
        .counter = SLICE("all"), .amount = SLICE("revoked"), .author = cli_author()};
    struct adjustment a;
    struct err err = {0};

    if (find_entry(w, &found, &err) != 0 ||
        open_month(w, found->adjustment.period, month, &err) != 0)
        return cli_fail(&err);
    (void)snprintf(id, sizeof id, "revoke/%.*s/%.*s", SLICE_FMT(found->adjustment.period),
                   SLICE_FMT(found->adjustment.id));
    wish.account = found->account;
    wish.month = slice_str(month);
    wish.id = slice_str(id);
    wish.reason = slice_str(w->reason);
    wish.evidence = found->adjustment.reason;
    a = (struct adjustment){.period = wish.month,
                            .id = wish.id,
                            .reason = wish.reason,
                            .evidence = wish.evidence,
                            .by = wish.author,
                            .at_s = w->now_s};
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        a.amounts[i] = -found->adjustment.amounts[i];
    return write_one(w, &wish, &a);
}

/* --------------------------------------------------------------------------------------------- */

static int list(struct adjust_command *w)
{
    struct err err = {0};

    if (read_list(w, w->words[0], w->period, &err) != 0)
        return cli_fail(&err);
    return adjust_list(&w->list, formats[w->format]);
}

static int run(struct adjust_command *w)
{
    int code = cli_open(w->cli);

    if (code != EX_OK)
        return code;
    w->now_s = clock_unix_ms() / 1000;
    return w->verb == VERB_ADD ? add(w) : w->verb == VERB_LIST ? list(w) : revoke(w);
}

int command_adjust(struct cli *cli, int argc, char **argv)
{
    struct adjust_command w = {.cli = cli};
    int code;

    arena_init(&w.arena, ARENA_BYTES);
    code = parse(&w, argc, argv);
    code = code == OPTIONS_DONE ? EX_OK : code != EX_OK ? code : run(&w);
    arena_fini(&w.arena);
    return code;
}
