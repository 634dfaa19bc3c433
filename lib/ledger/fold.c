#include "lib/ledger/fold.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/period.h"
#include "lib/ledger/amounts.h"

#define ARENA_BYTES   ((size_t)256 << 20)
#define BATCH_BYTES   ((size_t)32 << 20)
#define BATCH_RECORDS 20000
#define NAME_MAX_LEN  512

/* Records that fall into the same hour, day and month: then all their rows have the same periods.
 */
struct fold_span {
    int64_t start_s, end_s;
    char month[PERIOD_TEXT], day[PERIOD_TEXT], hour[PERIOD_TEXT];
    int64_t day_expires_s, hour_expires_s;
};

struct fold_entry {
    struct fold_entry *next;
    const struct fold_span *span;
    struct slice account, user;
    uint64_t number; /* of the last record in it */
    struct tally tally;
};

void fold_init(struct fold *f, const struct fold_config *config, struct slice node_account)
{
    *f = (struct fold){.config = *config, .node_account = node_account};
    arena_init(&f->arena, ARENA_BYTES);
    strmap_init(&f->map);
    buf_init(&f->key, 4096);
    buf_init(&f->text, 65536);
    arena_init(&f->scratch, ARENA_BYTES);
    fold_held_init(&f->held);
    fold_reset(f);
}

void fold_fini(struct fold *f)
{
    arena_fini(&f->arena);
    strmap_fini(&f->map);
    buf_fini(&f->key);
    buf_fini(&f->text);
    arena_fini(&f->scratch);
    fold_held_fini(&f->held);
}

void fold_reset(struct fold *f)
{
    arena_reset(&f->arena);
    strmap_fini(&f->map);
    fold_held_reset(&f->held);
    f->span = NULL;
    f->first = NULL;
    f->last = &f->first;
    f->records = 0;
}

bool fold_is_full(const struct fold *f)
{
    return f->records >= BATCH_RECORDS || f->arena.used_bytes >= BATCH_BYTES;
}

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for a batch of records");
}

/* The span that holds t: [latest of the three starts, first of the three ends). */
static int span_enter(struct fold *f, time_t t, struct err *err)
{
    static const enum period_kind kinds[] = {PERIOD_MONTH, PERIOD_DAY, PERIOD_HOUR};
    struct fold_span *s;

    if (f->span != NULL && t >= f->span->start_s && t < f->span->end_s)
        return 0;
    s = arena_alloc(&f->arena, sizeof *s);
    if (s == NULL)
        return no_memory(err);
    *s = (struct fold_span){.start_s = INT64_MIN, .end_s = INT64_MAX};
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
    f->span = s;
    strmap_fini(&f->map);
    return 0;
}

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
static struct slice account_name(const struct fold *f, struct slice account)
{
    if (slice_equal(account, SLICE(ACCOUNT_NODE)))
        return f->node_account;
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

static struct fold_entry *entry_new(struct fold *f, size_t account_len)
{
    struct slice key = arena_copy(&f->arena, buf_slice(&f->key));
    struct fold_entry *e = arena_alloc(&f->arena, sizeof *e);

    if (key.ptr == NULL || e == NULL)
        return NULL;
    e->span = f->span;
    e->account = slice_to(key, account_len);
    e->user = slice_from(key, account_len + 1);
    *f->last = e;
    f->last = &e->next;
    return e;
}

/* The batch's sum of that account and user in the present span; NULL when memory is out. */
static struct fold_entry *entry_get(struct fold *f, struct slice account, struct slice user)
{
    struct fold_entry *e;
    void **place;

    buf_reset(&f->key);
    buf_add(&f->key, account);
    buf_add_char(&f->key, '\0');
    buf_add(&f->key, user);
    if (f->key.failed)
        return NULL;
    place = strmap_find(&f->map, buf_slice(&f->key));
    if (place != NULL)
        return *place;
    e = entry_new(f, account.len);
    if (e == NULL)
        return NULL;
    place = strmap_add(&f->map, (struct slice){e->account.ptr, buf_slice(&f->key).len}, NULL);
    if (place == NULL)
        return NULL;
    *place = e;
    return e;
}

/* The batch's sum that a record's leg or amount goes to: 0 with *entry NULL where it is not
 * counted. */
static int entry_of(struct fold *f, const struct record *r, struct slice account, struct slice user,
                    struct fold_entry **entry)
{
    *entry = NULL;
    if (user.len > 0 && !f->config.users)
        return 0;
    *entry = entry_get(f, account_name(f, account), user_name(user));
    if (*entry == NULL)
        return -1;
    (*entry)->number = r->number;
    return 0;
}

static int legs_add(struct fold *f, const struct record *r, struct err *err)
{
    struct fold_entry *e;

    for (size_t i = 0; i < r->leg_count; i++) {
        if (entry_of(f, r, r->legs[i].account, r->legs[i].user, &e) < 0)
            return no_memory(err);
        if (e != NULL)
            record_leg_count(r, &r->legs[i], &e->tally);
    }
    return 0;
}

static int amounts_add(struct fold *f, const struct record *r, struct err *err)
{
    struct fold_entry *e;

    for (size_t i = 0; i < r->amount_count; i++) {
        const struct amount *a = &r->amounts[i];

        if (entry_of(f, r, a->account, a->user, &e) < 0)
            return no_memory(err);
        if (e != NULL)
            e->tally.value[a->counter] += a->value;
    }
    return 0;
}

/* The legs of a held message, as those of the record that releases it. */
static int held_legs_add(struct fold *f, const struct record *release, struct slice body,
                         struct err *err)
{
    struct record held = {.number = release->number, .time_ms = release->time_ms};

    arena_reset(&f->scratch);
    if (record_decode(body, &f->scratch, &held, err) != 0)
        return -1;
    return legs_add(f, &held, err);
}

static void note_stray(struct fold *f, const struct record *r)
{
    if (f->strays++ > 0)
        return;
    (void)err_set(&f->stray_first, EX_DATAERR,
                  "record %" PRIu64 " of the journal lets held message %.*s go (record %" PRIu64
                  "), which is not held any more, or never was: it is not counted again",
                  r->number, SLICE_FMT(r->queue_id), r->held_number);
}

/* 1: the record counts; 0: it is ignored. */
static int held_take(struct fold *f, struct ledger *l, const struct record *r, struct err *err)
{
    struct slice body;
    int rc = fold_held_take(&f->held, l, r, &f->arena, &body, err);

    if (rc == 0)
        note_stray(f, r);
    if (rc == 1 && r->kind == RECORD_RELEASE && held_legs_add(f, r, body, err) != 0)
        return -1;
    return rc;
}

/* What the record's kind does besides its amounts; 1, 0: the record is ignored, -1. */
static int kind_add(struct fold *f, struct ledger *l, const struct record *r, struct err *err)
{
    switch (r->kind) {
    case RECORD_MESSAGE:
        return legs_add(f, r, err) < 0 ? -1 : 1;
    case RECORD_HELD:
        return fold_held_add(&f->held, r, account_name(f, r->held_by), &f->arena, err) < 0 ? -1 : 1;
    case RECORD_RELEASE:
    case RECORD_FORGET:
        return held_take(f, l, r, err);
    case RECORD_PLACE:
        return fold_held_place(&f->held, r, &f->arena, err) < 0 ? -1 : 1;
    case RECORD_EVENT:
    case RECORD_KINDS:
        break;
    }
    return 1;
}

int fold_add(struct fold *f, struct ledger *l, const struct record *r, struct err *err)
{
    int rc;

    if (span_enter(f, (time_t)(r->time_ms / 1000), err) < 0)
        return -1;
    rc = kind_add(f, l, r, err);
    if (rc < 0 || (rc == 1 && amounts_add(f, r, err) < 0))
        return -1;
    f->latest_ms = r->time_ms;
    f->records++;
    return 0;
}

/* Adds a sum to the row it belongs to, which is made if `may_add`. 1: done, 0: there is no such
 * row. */
static int row_sum(struct fold *f, struct ledger *l, const struct row_key *key,
                   const struct fold_entry *e, int64_t expires_s, bool may_add, struct err *err)
{
    struct row row;
    bool elsewhere;
    int rc = ledger_row_find(l, key, &row, &elsewhere, err);

    if (rc < 0)
        return -1;
    if (rc == 0 && !may_add && !elsewhere)
        return 0;
    buf_reset(&f->text);
    if (amounts_sum(rc == 1 ? row.counters : SLICE_NONE, &e->tally, &f->text, err) < 0)
        return -1;
    if (rc == 1)
        rc = ledger_row_set(l, &row, buf_slice(&f->text),
                            e->number > row.number ? e->number : row.number, err);
    else
        rc = ledger_row_add(l, key, buf_slice(&f->text), e->number, expires_s, err);
    return rc < 0 ? -1 : 1;
}

static int account_sum(struct fold *f, struct ledger *l, const struct fold_entry *e,
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

        if (row_sum(f, l, &key, e, rows[i].expires_s, true, err) < 0)
            return -1;
    }
    return 0;
}

/* A user without a row gets one while there is room, else goes under the others. */
static int user_row_sum(struct fold *f, struct ledger *l, struct row_key *key,
                        const struct fold_entry *e, int64_t expires_s, struct err *err)
{
    bool is_other = slice_equal(e->user, SLICE(USER_OTHER));
    int rc = row_sum(f, l, key, e, expires_s, is_other, err);
    uint64_t count;

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (ledger_users_count(l, key, &count, err) < 0)
        return -1;
    if (count >= f->config.users_max)
        key->user = SLICE(USER_OTHER);
    else if (ledger_users_count_set(l, key, count + 1, expires_s, err) < 0)
        return -1;
    return row_sum(f, l, key, e, expires_s, true, err) < 0 ? -1 : 0;
}

static int user_sum(struct fold *f, struct ledger *l, const struct fold_entry *e, struct err *err)
{
    struct row_key month = {.account = e->account,
                            .kind = ROW_USERS_MONTH,
                            .period = slice_str(e->span->month),
                            .user = e->user};
    struct row_key day = {.account = e->account,
                          .kind = ROW_USERS_DAY,
                          .period = slice_str(e->span->day),
                          .user = e->user};

    if (user_row_sum(f, l, &month, e, 0, err) < 0)
        return -1;
    return user_row_sum(f, l, &day, e, e->span->day_expires_s, err);
}

static int entries_sum(struct fold *f, struct ledger *l, struct err *err)
{
    for (const struct fold_entry *e = f->first; e != NULL; e = e->next) {
        int rc = e->user.len > 0 ? user_sum(f, l, e, err) : account_sum(f, l, e, err);

        if (rc < 0)
            return -1;
    }
    return 0;
}

static int meta_advance(const struct fold *f, struct ledger *l, struct journal_position position,
                        struct err *err)
{
    struct ledger_meta meta = *ledger_meta(l);

    meta.position = position;
    meta.latest_ms = f->latest_ms;
    return ledger_meta_set(l, &meta, err);
}

int fold_apply(struct fold *f, struct ledger *l, struct journal_position position, struct err *err)
{
    int rc = ledger_begin(l, err);

    if (rc == 0)
        rc = entries_sum(f, l, err);
    if (rc == 0)
        rc = fold_held_apply(&f->held, l, err);
    if (rc == 0)
        rc = meta_advance(f, l, position, err);
    if (rc == 0)
        rc = ledger_commit(l, err);
    if (rc < 0)
        ledger_rollback(l);
    fold_reset(f);
    return rc;
}
