#include "lib/admin/adjustment_change.h"

#include <string.h>
#include <sysexits.h>

#include "lib/billing/bill_book.h"
#include "lib/core/period.h"
#include "lib/core/suggest.h"
#include "lib/read/read.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/sys/log.h"
#include "lib/throttle/account_change.h"

#define KEY_BYTES   1024
#define AMOUNT_MOST (UINT64_C(1) << 53)

/* --- the check ------------------------------------------------------------------------------- */

static int check_month(struct slice month, int64_t now_s, struct err *err)
{
    char name[PERIOD_TEXT];
    time_t start, end;

    if (period_date_parse(month, (time_t)now_s, &start, &end, err) != 0) {
        err->code = EX_USAGE;
        return err_prefix(err, "month");
    }
    period_name(PERIOD_MONTH, start, name);
    if (!slice_equal(month, slice_str(name)))
        return err_set(err, EX_USAGE, "month: write it as 2026-11");
    if (start > (time_t)now_s)
        return err_set(err, EX_USAGE, "month: %s has not begun yet", name);
    return 0;
}

static int check_id(struct slice id, struct err *err)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] <= ' ' || id.ptr[i] > '~')
            return err_set(err, EX_USAGE, "id: use ASCII without blanks");
    }
    if (id.len == 0 || id.len > ADJUSTMENT_CHANGE_ID_MAX)
        return err_set(err, EX_USAGE, "id: use 1 to %d bytes", ADJUSTMENT_CHANGE_ID_MAX);
    return 0;
}

static int take_counter(struct slice name, int *out, struct err *err)
{
    const char *names[COUNTER_COUNT], *nearest;

    *out = counter_find(name);
    if (*out >= 0)
        return 0;
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        names[i] = counter_table[i].name;
    nearest = suggest_name(name, names, COUNTER_COUNT);
    return err_set(err, EX_USAGE, "counter: \"%.*s\" is none%s%s", SLICE_FMT(slice_to(name, 40)),
                   nearest != NULL ? ": write " : ", such as out_messages",
                   nearest != NULL ? nearest : "");
}

static int take_amount(struct slice text, int64_t *out, struct err *err)
{
    bool is_less = slice_starts(text, SLICE("-"));
    uint64_t n = 0;

    if (is_less || slice_starts(text, SLICE("+")))
        text = slice_from(text, 1);
    if (!slice_number(text, &n) || n == 0 || n >= AMOUNT_MOST)
        return err_set(err, EX_USAGE, "amount: use a whole number such as -12 or 300, not 0");
    *out = is_less ? -(int64_t)n : (int64_t)n;
    return 0;
}

int adjustment_change_make(const struct adjustment_wish *wish, int64_t now_s,
                           struct adjustment *out, struct err *err)
{
    int64_t amount = 0;
    int counter = 0;

    *out = (struct adjustment){.period = wish->month,
                               .id = wish->id,
                               .reason = wish->reason,
                               .evidence = wish->evidence,
                               .by = wish->author,
                               .at_s = now_s};
    if (check_month(wish->month, now_s, err) != 0 || check_id(wish->id, err) != 0 ||
        take_counter(wish->counter, &counter, err) != 0 ||
        take_amount(wish->amount, &amount, err) != 0)
        return -1;
    out->amounts[counter] = amount;
    return 0;
}

/* --- the entry ------------------------------------------------------------------------------- */

/* 1: there is one. */
static int is_there(struct store *store, const char *prefix, const struct adjustment_wish *wish,
                    const struct adjustment *a, struct err *err)
{
    struct buf key, field;
    redisReply *reply;
    int result = -1;

    buf_init(&key, KEY_BYTES);
    buf_init(&field, KEY_BYTES);
    key_adjust(&key, prefix, wish->account);
    adjustment_field(a, &field);
    reply = store_command(
        store, 3, (const struct slice[]){SLICE("HEXISTS"), buf_slice(&key), buf_slice(&field)},
        READ_TIMEOUT_MS, err);
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER)
        result = reply->integer != 0 ? 1 : 0;
    else if (reply != NULL)
        (void)err_set(err, EX_DATAERR, "key %.*s: %.*s", SLICE_FMT(buf_slice(&key)),
                      SLICE_FMT(link_reply_text(reply)));
    freeReplyObject(reply);
    buf_fini(&key);
    buf_fini(&field);
    return result;
}

/* What is closed stays as it is. */
static int check_open(struct store *store, const struct settings *settings, struct slice month,
                      struct err *err)
{
    struct reader reader = {.store = store, .prefix = settings->store.prefix};
    bool is_closed;

    if (bill_book_is_closed(settings, &reader, month, &is_closed, err) != 0)
        return -1;
    return is_closed ? err_set(err, EX_USAGE, "month: %.*s is closed: choose a later one",
                               SLICE_FMT(month))
                     : 0;
}

int adjustment_change_add(struct store *store, const struct settings *settings,
                          const struct adjustment_wish *wish, const struct adjustment *a,
                          struct err *err)
{
    struct account_change change = {.store = store,
                                    .prefix = settings->store.prefix,
                                    .holder = wish->account,
                                    .timeout_ms = READ_TIMEOUT_MS};
    int result = is_there(store, settings->store.prefix, wish, a, err);

    if (result == 0)
        result = check_open(store, settings, wish->month, err);
    if (result == 0)
        result = account_change_adjustment_add(&change, a, err);
    if (result == 0)
        log_event(LOG_NOTICE, "adjustment added", LOG_TEXT("by", wish->author),
                  LOG_TEXT("client", wish->client.len > 0 ? wish->client : SLICE("-")),
                  LOG_TEXT("account", wish->account), LOG_TEXT("month", wish->month),
                  LOG_TEXT("id", wish->id), LOG_TEXT("counter", wish->counter),
                  LOG_TEXT("amount", wish->amount), LOG_TEXT("evidence", wish->evidence),
                  LOG_TEXT("reason", wish->reason));
    return result;
}
