#include "lib/ledger/row_sums.h"

#include <string.h>
#include <sysexits.h>

#include "lib/core/period.h"
#include "lib/core/record.h"
#include "lib/ledger/amounts.h"

#define ARENA_BYTES  ((size_t)256 << 20)
#define BATCH_BYTES  ((size_t)32 << 20)
#define NAME_MAX_LEN 512

/* Times in the same hour, day and month: then all rows of them have the same periods. */
struct row_sums_span {
    struct row_sums_span *next;
    int64_t start_s, end_s;
    char month[PERIOD_TEXT], day[PERIOD_TEXT], hour[PERIOD_TEXT];
    int64_t day_expires_s, hour_expires_s;
};

struct row_sums_entry {
    struct row_sums_entry *next;
    const struct row_sums_span *span;
    struct slice account, user;
    uint64_t number; /* of the last record in it */
    struct tally tally;
};

void row_sums_init(struct row_sums *s, const struct row_sums_config *config,
                   struct slice node_account)
{
    *s = (struct row_sums){.config = *config, .node_account = node_account};
    arena_init(&s->arena, ARENA_BYTES);
    strmap_init(&s->map);
    buf_init(&s->key, 4096);
    buf_init(&s->text, 65536);
    s->last = &s->first;
}

void row_sums_fini(struct row_sums *s)
{
    arena_fini(&s->arena);
    strmap_fini(&s->map);
    buf_fini(&s->key);
    buf_fini(&s->text);
}

void row_sums_reset(struct row_sums *s)
{
    arena_reset(&s->arena);
    strmap_fini(&s->map);
    s->spans = s->span = NULL;
    s->first = NULL;
    s->last = &s->first;
}

bool row_sums_is_full(const struct row_sums *s)
{
    return s->arena.used_bytes >= BATCH_BYTES;
}

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for a batch of records");
}

/* --- time ------------------------------------------------------------------------------------ */

static bool span_has(const struct row_sums_span *s, time_t t)
{
    return t >= s->start_s && t < s->end_s;
}

/* The span that holds t: [latest of the three starts, first of the three ends). */
static struct row_sums_span *span_new(struct row_sums *sums, time_t t)
{
    static const enum period_kind kinds[] = {PERIOD_MONTH, PERIOD_DAY, PERIOD_HOUR};
    struct row_sums_span *s = arena_alloc(&sums->arena, sizeof *s);

    if (s == NULL)
        return NULL;
    *s = (struct row_sums_span){.next = sums->spans, .start_s = INT64_MIN, .end_s = INT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        time_t start = period_start(kinds[i], t), end = period_end(kinds[i], t);

        s->start_s = start > s->start_s ? start : s->start_s;
        s->end_s = end < s->end_s ? end : s->end_s;
    }
    period_name(PERIOD_MONTH, t, s->month);
    period_name(PERIOD_DAY, t, s->day);
    period_name(PERIOD_HOUR, t, s->hour);
    s->day_expires_s = period_end(PERIOD_DAY, t) + DAY_KEPT_S;
    s->hour_expires_s = period_end(PERIOD_HOUR, t) + HOUR_KEPT_S;
    sums->spans = s;
    return s;
}

int row_sums_at(struct row_sums *sums, time_t t, struct err *err)
{
    struct row_sums_span *s = sums->span;

    if (s != NULL && span_has(s, t))
        return 0;
    for (s = sums->spans; s != NULL && !span_has(s, t);)
        s = s->next;
    sums->span = s != NULL ? s : span_new(sums, t);
    return sums->span != NULL ? 0 : no_memory(err);
}

/* --- names ----------------------------------------------------------------------------------- */

static bool has_byte_of_no_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c <= ' ' || c == 0x7f)
            return true;
    }
    return false;
}

/* A key of Redis takes the account between braces; @ is for nodes. */
struct slice row_sums_account(const struct row_sums *s, struct slice account)
{
    if (slice_equal(account, SLICE(ACCOUNT_NODE)))
        return s->node_account;
    if (account.len == 0 || account.len > NAME_MAX_LEN || has_byte_of_no_name(account) ||
        account.ptr[0] == '@' || slice_find(account, '{') >= 0 || slice_find(account, '}') >= 0)
        return SLICE(ACCOUNT_UNATTRIBUTED);
    return account;
}

/* Fields are `USER COUNTER` and, for a node's share, `_NODE.ID USER`: neither may look like the
 * other. */
static struct slice user_name(struct slice user)
{
    if (user.len > NAME_MAX_LEN || has_byte_of_no_name(user))
        return SLICE(USER_OTHER);
    if (slice_find(user, '@') < 0 && user.len > 0 && !slice_equal(user, SLICE(USER_SRS)) &&
        (user.ptr[0] == '_' || counter_find(user) >= 0))
        return SLICE(USER_OTHER);
    return user;
}

/* --- entries --------------------------------------------------------------------------------- */

static struct row_sums_entry *entry_new(struct row_sums *s, size_t account_len)
{
    struct slice key = arena_copy(&s->arena, buf_slice(&s->key));
    struct row_sums_entry *e = arena_alloc(&s->arena, sizeof *e);
    void **place;

    if (key.ptr == NULL || e == NULL)
        return NULL;
    place = strmap_add(&s->map, key, NULL);
    if (place == NULL)
        return NULL;
    *place = e;
    *s->last = e;
    s->last = &e->next;
    e->span = s->span;
    e->account = slice_to(slice_from(key, sizeof s->span->start_s), account_len);
    e->user = slice_from(key, sizeof s->span->start_s + account_len + 1);
    return e;
}

/* The batch's sum of that account and user in the present span; NULL when memory is out. */
static struct row_sums_entry *entry_get(struct row_sums *s, struct slice account, struct slice user)
{
    void **place;

    buf_reset(&s->key);
    buf_add(&s->key, (struct slice){(const char *)&s->span->start_s, sizeof s->span->start_s});
    buf_add(&s->key, account);
    buf_add_char(&s->key, '\0');
    buf_add(&s->key, user);
    if (s->key.failed)
        return NULL;
    place = strmap_find(&s->map, buf_slice(&s->key));
    return place != NULL ? *place : entry_new(s, account.len);
}

int row_sums_tally(struct row_sums *s, struct slice account, struct slice user, uint64_t number,
                   struct tally **tally, struct err *err)
{
    struct row_sums_entry *e;

    *tally = NULL;
    if (user.len > 0 && !s->config.users)
        return 0;
    e = entry_get(s, row_sums_account(s, account), user_name(user));
    if (e == NULL)
        return no_memory(err);
    e->number = number;
    *tally = &e->tally;
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------ */

/* Counts a row (0: a new one) that record already? */
static bool is_counted(const struct row_sums *s, int64_t id, uint64_t number)
{
    return number < s->counted_before ||
           ((uint64_t)id < s->counted_size && number <= s->counted[id]);
}

/* Adds a sum to the row it belongs to, which is made if `may_add`. 1: done, 0: there is no such
 * row. */
static int row_add(struct row_sums *s, struct ledger *l, const struct row_key *key,
                   const struct row_sums_entry *e, int64_t expires_s, bool may_add, struct err *err)
{
    struct row row;
    bool elsewhere;
    int rc = ledger_row_find(l, key, &row, &elsewhere, err);

    if (rc < 0)
        return -1;
    if (rc == 0 && !may_add && !elsewhere)
        return 0;
    if (is_counted(s, rc == 1 ? row.id : 0, e->number))
        return 1;
    buf_reset(&s->text);
    if (amounts_sum(rc == 1 ? row.counters : SLICE_NONE, &e->tally, &s->text, err) < 0)
        return -1;
    if (rc == 1)
        rc = ledger_row_set(l, &row, buf_slice(&s->text),
                            e->number > row.number ? e->number : row.number, err);
    else
        rc = ledger_row_add(l, key, buf_slice(&s->text), e->number, expires_s, err);
    return rc < 0 ? -1 : 1;
}

static int account_add(struct row_sums *s, struct ledger *l, const struct row_sums_entry *e,
                       struct err *err)
{
    const struct {
        enum row_kind kind;
        const char *period;
        int64_t expires_s;
    } rows[] = {{ROW_TOTAL, "", 0},
                {ROW_MONTH, e->span->month, 0},
                {ROW_DAY, e->span->day, e->span->day_expires_s},
                {ROW_HOUR, e->span->hour, e->span->hour_expires_s}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct row_key key = {
            .account = e->account, .kind = rows[i].kind, .period = slice_str(rows[i].period)};

        if (row_add(s, l, &key, e, rows[i].expires_s, true, err) < 0)
            return -1;
    }
    return 0;
}

/* A user without a row gets one while there is room, else goes under the others. */
static int user_row_add(struct row_sums *s, struct ledger *l, struct row_key *key,
                        const struct row_sums_entry *e, int64_t expires_s, struct err *err)
{
    bool is_other = slice_equal(e->user, SLICE(USER_OTHER));
    int rc = row_add(s, l, key, e, expires_s, is_other, err);
    uint64_t count;

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (ledger_users_count(l, key, &count, err) < 0)
        return -1;
    if (count >= s->config.users_max)
        key->user = SLICE(USER_OTHER);
    else if (ledger_users_count_set(l, key, count + 1, expires_s, err) < 0)
        return -1;
    return row_add(s, l, key, e, expires_s, true, err) < 0 ? -1 : 0;
}

static int user_add(struct row_sums *s, struct ledger *l, const struct row_sums_entry *e,
                    struct err *err)
{
    struct row_key month = {.account = e->account,
                            .kind = ROW_USERS_MONTH,
                            .period = slice_str(e->span->month),
                            .user = e->user};
    struct row_key day = {.account = e->account,
                          .kind = ROW_USERS_DAY,
                          .period = slice_str(e->span->day),
                          .user = e->user};

    if (user_row_add(s, l, &month, e, 0, err) < 0)
        return -1;
    return user_row_add(s, l, &day, e, e->span->day_expires_s, err);
}

int row_sums_apply(struct row_sums *s, struct ledger *l, struct err *err)
{
    rest_begin(&s->rest);
    for (const struct row_sums_entry *e = s->first; e != NULL; e = e->next) {
        int rc = e->user.len > 0 ? user_add(s, l, e, err) : account_add(s, l, e, err);

        if (rc < 0)
            return -1;
        rest_if_due(&s->rest);
    }
    return 0;
}
