/* tollgate period export: a closed month, to a billing system. */
#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#include "cli/period.h"
#include "lib/billing/bill_export.h"
#include "lib/billing/bill_mirror.h"
#include "lib/sys/json.h"

#define OUTPUT_BYTES ((size_t)1 << 30)

enum { TO_CSV, TO_JSON, TO_WHMCS, TO_TARGETS };
const char *const period_export_names[] = {"csv",         "json",  "whmcs",    "command",
                                           "cloudevents", "plesk", "hostbill", NULL};

bool period_export_is_by_domain(int to)
{
    return to == TO_CSV || to == TO_WHMCS || to - TO_TARGETS == (int)TARGET_PLESK;
}

/* --- to standard output ---------------------------------------------------------------------- */

static int write_csv(struct period_command *w, size_t i)
{
    struct slice file;
    struct err err = {0};

    if (bill_book_file(&w->book, i, &file, &err) != 0)
        return cli_fail(&err);
    (void)fwrite(file.ptr, 1, file.len, stdout);
    return EX_OK;
}

static int write_json(const struct period_command *w, size_t i, const struct bill *bill,
                      const struct bill_items *items)
{
    json_t *list = json_array();
    struct buf out;
    int code;

    for (size_t k = 0; k < items->count; k++)
        (void)json_array_append_new(list, bill_item_json(bill, &items->items[k]));
    buf_init(&out, OUTPUT_BYTES);
    cli_add_json(&out, json_pack("{s:o, s:o, s:o, s:o, s:o}", "period", json_text(bill->month),
                                 "hash", json_text(w->book.chain.items[i].hash), "timezone",
                                 json_text(bill->timezone), "nodes", json_text(bill->nodes),
                                 "items", list));
    code = cli_write(&out);
    buf_fini(&out);
    return code;
}

/* --- to a target ----------------------------------------------------------------------------- */

static void say_refused(const struct err *err)
{
    (void)cli_fail(err);
}

/* Plesk's is one document: it may be given to Plesk as a file. */
static int print_items(const struct bill_export *x, const struct bill_item *const *items,
                       size_t count, struct buf *out, struct err *err)
{
    size_t most = x->target->kind == TARGET_PLESK ? count : bill_target_batch(x->target);

    for (size_t i = 0; i < count; i += most) {
        size_t n = count - i < most ? count - i : most;

        if (bill_target_print(x->target, x->bill, items + i, n, out, err) != 0)
            return cli_fail(err);
    }
    return EX_OK;
}

static int print_all(struct period_command *w, const struct bill_export *x)
{
    const struct bill_item **taken = arena_array(&w->arena, x->items->count + 1, sizeof *taken);
    struct err err = {0};
    size_t count = 0;
    struct buf out;
    int code;

    if (taken == NULL) {
        (void)err_set(&err, EX_OSERR, "out of memory");
        return cli_fail(&err);
    }
    for (size_t i = 0; i < x->items->count; i++) {
        int takes = bill_target_takes(x->target, &x->items->items[i], &err);

        if (takes > 0)
            taken[count++] = &x->items->items[i];
        else if (takes < 0)
            (void)cli_fail(&err);
    }
    buf_init(&out, OUTPUT_BYTES);
    code = print_items(x, taken, count, &out, &err);
    if (code == EX_OK)
        code = cli_write(&out);
    buf_fini(&out);
    return code == EX_OK ? err.code : code;
}

static int run_target(struct period_command *w, struct bill_export *x,
                      const struct bill_items *other)
{
    struct err err = {0};
    int code;

    x->outbox = bill_outbox_open(w->cli->settings->state_dir, &err);
    if (x->outbox == NULL || bill_export_check(x, other, &err) != 0) {
        bill_outbox_close(x->outbox);
        return cli_fail(&err);
    }
    code = bill_export_run(x, &err) != 0 ? cli_fail(&err) : EX_OK;
    bill_outbox_close(x->outbox);
    (void)printf("%s, %s: %zu sent, %zu found there, %zu sent earlier, %zu refused\n",
                 w->month.name, x->target->name, x->sent, x->found, x->before, x->refusals);
    return code == EX_OK && x->refusals > 0 ? EX_DATAERR : code;
}

/* Two hosts may run the same job: one sends. */
static int check_exporter(struct period_command *w, const char *target)
{
    struct slice host = slice_str(w->cli->settings->node), exporter;
    struct err err = {0};

    if (bill_mirror_exporter(&w->cli->reader, slice_str(w->month.name), target, host, w->again,
                             &w->arena, &exporter, &err) != 0)
        return cli_fail(&err);
    if (slice_equal(exporter, host))
        return EX_OK;
    (void)err_set(&err, EX_TEMPFAIL,
                  "%s goes to %s from the host %.*s, whose outbox knows what was sent: run the "
                  "export there; or, if it is gone, with --again here",
                  w->month.name, target, SLICE_FMT(exporter));
    return cli_fail(&err);
}

/* Plesk takes the traffic of an account as a whole, by day. */
static int read_days(struct period_command *w, struct bill_export *x, struct bill_target *target,
                     struct bill_days *days, struct bill_items *items, struct err *err)
{
    struct report_time time = read_report_time(w->cli->settings, w->now);

    if (target->kind != TARGET_PLESK)
        return 0;
    target->days = days;
    x->items = items;
    return bill_days_items(x->bill, &w->arena, items, err) == 0
               ? bill_days_read(&w->cli->reader, &time, x->bill, &w->arena, days, err)
               : -1;
}

static int to_target(struct period_command *w, const struct bill *bill,
                     const struct bill_items *items, const struct bill_items *other)
{
    struct bill_target target;
    struct bill_export x = {
        .bill = bill, .items = items, .target = &target, .again = w->again, .refused = say_refused};
    struct bill_items traffic;
    struct bill_days days;
    struct err err = {0};
    int code;

    if (bill_target_open(&target, (enum bill_target_kind)(w->to - TO_TARGETS), w->cli->settings,
                         &err) != 0 ||
        read_days(w, &x, &target, &days, &traffic, &err) != 0)
        code = cli_fail(&err);
    else
        code = w->dry_run ? print_all(w, &x) : check_exporter(w, target.name);
    if (code == EX_OK && !w->dry_run)
        code = run_target(w, &x, other);
    bill_target_close(&target);
    return code;
}

/* --------------------------------------------------------------------------------------------- */

/* Of the month as it is to go out ([0]), and the other way: by account, by customer. */
static int list_items(struct period_command *w, size_t i, struct bill bills[2],
                      struct bill_items items[2], struct err *err)
{
    const struct settings *s = w->cli->settings;
    size_t by_customer = w->by >= 0 ? 0 : 1;
    struct bill *accounts = &bills[1 - by_customer];

    if (bill_book_bill(&w->book, i, accounts, err) != 0)
        return -1;
    if (w->by >= 0 && !accounts->has_customers)
        return err_set(err, EX_USAGE,
                       "%.*s was closed before billing.customers named customers: its file does "
                       "not have them",
                       SLICE_FMT(accounts->month));
    return bill_by_customer(accounts, &w->arena, &bills[by_customer], err) == 0 &&
                   bill_item_list(&bills[0], s, &w->arena, &items[0], err) == 0 &&
                   bill_item_list(&bills[1], s, &w->arena, &items[1], err) == 0
               ? 0
               : -1;
}

int period_export(struct period_command *w, size_t i)
{
    struct bill bills[2];
    struct bill_items items[2];
    struct err err = {0};

    if (w->to == TO_CSV)
        return write_csv(w, i);
    if (list_items(w, i, bills, items, &err) != 0)
        return cli_fail(&err);
    return w->to < TO_TARGETS ? write_json(w, i, &bills[0], &items[0])
                              : to_target(w, &bills[0], &items[0], &items[1]);
}
