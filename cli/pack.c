/* tollgate pack: all that shows a domain what it is billed for a month, in a folder. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "cli/adjust.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/pack.h"
#include "lib/billing/bill_book.h"
#include "lib/billing/bill_read.h"
#include "lib/core/address.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/read/read_adjustments.h"
#include "lib/read/read_report.h"
#include "lib/sys/clock.h"
#include "lib/sys/files.h"
#include "lib/sys/secret.h"

#define ARENA_BYTES ((size_t)2 << 30)
#define TEXT_BYTES  ((size_t)256 << 20)

struct pack_command {
    struct cli *cli;
    const char *typed, *output; /* NULL: not given */
    uint64_t top;
    time_t now;
    struct slice domain;
    struct bill_month month;
    struct bill_book book;
    size_t at; /* of the month in the chain */
    struct bill bill;
    char folder[PACK_PATH];
    struct buf sums; /* as sha256sum writes them */
    struct arena arena;
};

static const struct options_word words[] = {
    {"D", "a domain"}, {"P", "a closed month, such as 2026-11, or last"}, {.name = NULL}};
static const struct options_row rows[] = {{.name = "output",
                                           OPTIONS_TEXT,
                                           offsetof(struct pack_command, output),
                                           "DIR",
                                           "the folder to make (D-P, here)"},
                                          {.name = "top",
                                           OPTIONS_NUMBER,
                                           offsetof(struct pack_command, top),
                                           "N",
                                           "how many of the largest messages (100)",
                                           .least = 0,
                                           .most = 100000},
                                          {.name = NULL}};
static const struct options_table table = {
    .command = "pack",
    .synopsis = "pack D P [--output DIR] [--top N]",
    .words = words,
    .rows = rows,
    .words_least = 2,
    .words_most = 2,
    .missing = "expected a domain and a closed month, such as: pack example.com 2026-11",
    .notes = "The folder has the bill, its days, the adjustments, the largest messages that this "
             "node still has, what the counters mean, and the hashes. `sha256sum -c SHA256SUMS' "
             "in it finds what was changed."};

/* --- the files ------------------------------------------------------------------------------- */

static int write_file(struct pack_command *w, const char *name, struct buf *text, struct err *err)
{
    char path[PACK_PATH * 2], digest[SECRET_TEXT];
    int result;

    (void)snprintf(path, sizeof path, "%s/%s", w->folder, name);
    if (text->failed)
        return err_set(err, EX_OSERR, "out of memory");
    result = file_write(path, buf_slice(text), 0644, err);
    secret_digest(buf_slice(text), digest);
    buf_addf(&w->sums, "%s  %s\n", digest, name);
    buf_reset(text);
    return result;
}

/* The lines of this domain: what others were billed is nobody's business. */
static int add_bill(struct pack_command *w, struct buf *b, struct err *err)
{
    const struct bill_row *row = bill_find(&w->bill, w->domain);
    struct bill own = w->bill;

    own.count = row != NULL ? 1 : 0;
    own.rows = row != NULL ? &w->bill.rows[row - w->bill.rows] : NULL;
    bill_print(&own, b);
    return write_file(w, "bill.csv", b, err);
}

struct day {
    const struct bill *bill;
    const char *name;
    struct buf *out;
};

static int add_day(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    const struct day *d = context;

    (void)name;
    (void)err;
    buf_add_str(d->out, d->name);
    for (size_t i = 0; i < d->bill->column_count; i++)
        buf_addf(d->out, ",%" PRIu64, sum->value[d->bill->columns[i]]);
    buf_add_char(d->out, '\n');
    return 0;
}

/* As they are now: what came after the close is among them, and among the adjustments. */
static int add_days(struct pack_command *w, struct buf *b, struct err *err)
{
    struct report_time time = read_report_time(w->cli->settings, w->now);
    struct counter_list counters = {.count = w->bill.column_count};
    struct name_list one = {.items = &w->domain, .count = 1};

    if ((int64_t)w->month.start < (int64_t)w->now - time.days_kept_s)
        return 0; /* no longer kept */
    memcpy(counters.ids, w->bill.columns, sizeof counters.ids);
    buf_add_str(b, "day");
    for (size_t i = 0; i < w->bill.column_count; i++)
        buf_addf(b, ",%s", counter_table[w->bill.columns[i]].name);
    buf_add_char(b, '\n');
    for (time_t at = w->month.start; at < w->month.end; at = period_end(PERIOD_DAY, at)) {
        struct stored_period day = {
            .kind = PERIOD_DAY, .start = at, .end = period_end(PERIOD_DAY, at)};
        struct stored_periods periods = {.items = &day, .count = 1};
        struct day d = {&w->bill, day.name, b};

        period_name(PERIOD_DAY, at, day.name);
        if (read_counters(&w->cli->reader, &one, &periods, &counters, add_day, &d, err) != 0)
            return -1;
    }
    return write_file(w, "days.csv", b, err);
}

static int add_adjustments(struct pack_command *w, struct buf *b, struct err *err)
{
    struct name_list one = {.items = &w->domain, .count = 1};
    struct adjustment_list list;

    if (read_adjustments(&w->cli->reader, &one, slice_str(w->month.name), &w->arena, &list, err) !=
        0)
        return -1;
    adjust_list_csv(&list, b);
    return write_file(w, "adjustments.csv", b, err);
}

static int add_messages(struct pack_command *w, struct buf *b, struct err *err)
{
    struct pack_messages m = {.settings = w->cli->settings,
                              .from_s = (int64_t)w->month.start,
                              .to_s = (int64_t)w->month.end,
                              .account = w->domain,
                              .top = (size_t)w->top};

    if (pack_messages(&m, &w->arena, b, err) != 0)
        return -1;
    return write_file(w, "messages.csv", b, err);
}

static int add_audit(struct pack_command *w, struct buf *b, struct err *err)
{
    for (size_t i = 0; i <= w->at; i++)
        bill_chain_print(&w->book.chain.items[i], b);
    return write_file(w, "audit.txt", b, err);
}

static int add_definitions(struct pack_command *w, struct buf *b, struct err *err)
{
    for (size_t i = 0; i < w->bill.column_count; i++) {
        const struct counter_info *info = &counter_table[w->bill.columns[i]];

        text_entry(b, slice_str(info->name), 28, 100, slice_str(info->help));
        buf_add_char(b, '\n');
    }
    return write_file(w, "definitions.txt", b, err);
}

static int add_readme(struct pack_command *w, struct buf *b, struct err *err)
{
    const struct bill_entry *e = &w->book.chain.items[w->at];

    buf_addf(b,
             "Mail traffic of %.*s in %s (time zone %.*s)\n\n"
             "bill.csv         what was counted, adjusted and billed\n"
             "days.csv         the counters of each day, as far as they are kept\n"
             "adjustments.csv  the adjustments in the bill\n"
             "messages.csv     the largest messages that node %s still has\n"
             "definitions.txt  what the counters mean\n"
             "audit.txt        the closed months with their hashes\n\n"
             "The month was closed on %.*s by %.*s. The file that bill.csv was taken from has, "
             "behind the hash\nof the month before it, the SHA-256\n%.*s\n\n"
             "`sha256sum -c SHA256SUMS' finds what was changed in this folder.\n",
             SLICE_FMT(w->domain), w->month.name, SLICE_FMT(w->bill.timezone),
             w->cli->settings->node, SLICE_FMT(e->closed_at), SLICE_FMT(e->by), SLICE_FMT(e->hash));
    return write_file(w, "README", b, err);
}

static int write_all(struct pack_command *w, struct err *err)
{
    char path[PACK_PATH * 2];
    struct buf b;
    int result;

    buf_init(&b, TEXT_BYTES);
    buf_init(&w->sums, TEXT_BYTES);
    result = add_bill(w, &b, err) != 0 || add_days(w, &b, err) != 0 ||
                     add_adjustments(w, &b, err) != 0 || add_messages(w, &b, err) != 0 ||
                     add_audit(w, &b, err) != 0 || add_definitions(w, &b, err) != 0 ||
                     add_readme(w, &b, err) != 0
                 ? -1
                 : 0;
    (void)snprintf(path, sizeof path, "%s/SHA256SUMS", w->folder);
    if (result == 0)
        result = file_write(path, buf_slice(&w->sums), 0644, err);
    buf_fini(&w->sums);
    buf_fini(&b);
    return result;
}

/* --------------------------------------------------------------------------------------------- */

static int find(struct pack_command *w, struct err *err)
{
    const struct bill_entry *e;

    if (bill_month_parse(slice_str(w->typed), w->now, &w->month, err) != 0)
        return -1;
    e = bill_chain_find(&w->book.chain, slice_str(w->month.name));
    if (e == NULL)
        return err_set(err, EX_NOINPUT, "%s is not closed: tollgate period close %s", w->month.name,
                       w->month.name);
    w->at = (size_t)(e - w->book.chain.items);
    return bill_book_bill(&w->book, w->at, &w->bill, err);
}

static int make_folder(struct pack_command *w, struct err *err)
{
    if (w->output != NULL)
        (void)snprintf(w->folder, sizeof w->folder, "%s", w->output);
    else
        (void)snprintf(w->folder, sizeof w->folder, "%.*s-%s", SLICE_FMT(w->domain), w->month.name);
    if (strlen(w->folder) + 1 < sizeof w->folder && mkdir(w->folder, 0755) == 0)
        return 0;
    return err_set(err, EX_CANTCREAT, "cannot make the folder %s: %s: name another by --output",
                   w->folder, strerror(errno));
}

static int run(struct pack_command *w)
{
    struct err err = {0};
    int code = cli_open(w->cli);

    if (code != EX_OK)
        return code;
    w->now = (time_t)(clock_unix_ms() / 1000);
    if (bill_book_open(&w->book, w->cli->settings, &w->cli->reader, &w->arena, false, &err) != 0 ||
        find(w, &err) != 0 || make_folder(w, &err) != 0 || write_all(w, &err) != 0)
        return cli_fail(&err);
    bill_book_close(&w->book);
    (void)printf("%s: made\n", w->folder);
    return EX_OK;
}

int command_pack(struct cli *cli, int argc, char **argv)
{
    struct pack_command w = {.cli = cli, .top = 100};
    struct err err = {0};
    char **typed;
    int code = options_parse(&table, cli, &w, argc, argv, &typed);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&w.arena, ARENA_BYTES);
    w.typed = typed[1];
    if (domain_canonical(slice_str(typed[0]), &w.arena, &w.domain, &err) != 0) {
        TG_IGNORE(cli_bad_value(&err, "domain", typed[0])); /* it is said below */
        code = cli_fail(&err);
    } else {
        code = run(&w);
    }
    arena_fini(&w.arena);
    return code;
}
