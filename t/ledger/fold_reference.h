#ifndef TG_T_LEDGER_FOLD_REFERENCE_H
#define TG_T_LEDGER_FOLD_REFERENCE_H

#include <stdlib.h>

#include "lib/core/period.h"
#include "lib/ledger/fold.h"
#include "t/random.h"
#include "t/tap.h"

/* Random records, and what they count: slowly and plainly, one leg of one record after the other.
 * One translation unit a test program. */

static struct err err;

static inline void must(int rc, const char *what)
{
    if (rc != 0) {
        printf("Bail out! %s: %s\n", what, err.text);
        exit(1);
    }
}

static inline unsigned dice(unsigned sides)
{
    static struct random_source source = {4711};

    return random_below(&source, sides);
}

/* --- records --------------------------------------------------------------------------------- */

#define LEGS_MAX    12
#define AMOUNTS_MAX 3

struct sample {
    struct record record;
    struct leg legs[LEGS_MAX];
    struct amount amounts[AMOUNTS_MAX];
    char queue_id[16];
};

/* Held messages, in the order of their numbers; what is gone stays. */
#define REF_HELD 400

struct ref_held {
    struct sample sample;
    bool is_held;
};

static struct ref_held *ref_held;
static size_t ref_held_count;

static const char *const account_names[] = {"a.example",     "b.example", "xn--bcher-kva.example",
                                            "_unattributed", "",          "a b.example",
                                            "{a}.example",   "@mx7",      "c\x01.example"};

static inline struct slice random_user(void)
{
    static const char *const odd[] = {"a b@x", "_mx1.12345678",      "in_bytes",    "_other",
                                      "x\n@y", "in_bytes@a.example", "_x@a.example"};
    static char names[40][24];
    unsigned i = dice(40);

    if (dice(10) == 0)
        return slice_str(odd[dice(sizeof odd / sizeof odd[0])]);
    (void)snprintf(names[i], sizeof names[i], "u%u@a.example", i);
    return slice_str(names[i]);
}

static inline enum record_kind random_kind(void)
{
    static const enum record_kind kinds[] = {RECORD_MESSAGE, RECORD_MESSAGE, RECORD_MESSAGE,
                                             RECORD_EVENT,   RECORD_HELD,    RECORD_HELD,
                                             RECORD_RELEASE, RECORD_FORGET,  RECORD_PLACE};

    return kinds[dice(sizeof kinds / sizeof kinds[0])];
}

/* Mostly of one that is or was held. */
static inline uint64_t random_held(uint64_t number)
{
    if (ref_held_count == 0 || dice(6) == 0)
        return dice((unsigned)number);
    return ref_held[dice((unsigned)ref_held_count)].sample.record.number;
}

static inline void sample_make(struct sample *s, uint64_t number, int64_t time_ms)
{
    size_t n = 1 + dice(LEGS_MAX - 2);

    s->record = (struct record){.kind = random_kind(),
                                .number = number,
                                .time_ms = time_ms,
                                .bytes = 1 + dice(100000),
                                .priority = (enum priority)dice(4),
                                .spam = dice(4) == 0,
                                .legs = s->legs,
                                .leg_count = n + 2,
                                .amounts = s->amounts,
                                .amount_count = dice(AMOUNTS_MAX + 1),
                                .held_by = slice_str(account_names[dice(9)]),
                                .place = SLICE("/etc/postfix"),
                                .held_number = random_held(number)};
    (void)snprintf(s->queue_id, sizeof s->queue_id, "Q%u", dice(60));
    s->record.queue_id = slice_str(s->queue_id);
    for (size_t i = 0; i < s->record.amount_count; i++) {
        s->amounts[i] = (struct amount){.account = slice_str(account_names[dice(9)]),
                                        .user = dice(2) == 0 ? SLICE_NONE : random_user(),
                                        .counter = (enum counter)dice(COUNTER_COUNT),
                                        .value = 1 + dice(1000)};
    }
    for (size_t i = 0; i < n; i++) {
        s->legs[i] = (struct leg){.kind = (enum leg_kind)dice(LEG_MESSAGE),
                                  .account = slice_str(account_names[dice(9)]),
                                  .user = dice(2) == 0 ? SLICE_NONE : random_user(),
                                  .messages = 1,
                                  .recipients = 1 + dice(5),
                                  .bytes = dice(100000),
                                  .bounces = dice(2)};
    }
    s->legs[n] = (struct leg){.kind = LEG_IN,
                              .account = SLICE(ACCOUNT_NODE),
                              .messages = 1,
                              .recipients = 3,
                              .bytes = s->record.bytes};
    s->legs[n + 1] = (struct leg){.kind = LEG_MESSAGE,
                                  .account = SLICE(ACCOUNT_NODE),
                                  .messages = 1,
                                  .bytes = s->record.bytes};
}

/* --- the reference --------------------------------------------------------------------------- */

struct ref_row {
    char account[64], kind[16], period[PERIOD_TEXT], user[64];
    struct tally tally;
    uint64_t number;
    int64_t expires_s;
};

#define REF_ROWS 20000

static struct ref_row *ref;
static size_t ref_count;

static inline bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == ' ' || *text == '\n' || *text == '\x01')
            return false;
    }
    return true;
}

static inline const char *ref_account(const char *name)
{
    if (strcmp(name, "@") == 0)
        return "@mx1";
    return name[0] == '\0' || name[0] == '@' || !is_plain(name) || strpbrk(name, "{}") != NULL
               ? "_unattributed"
               : name;
}

static inline const char *ref_user(const char *name)
{
    bool is_field = strchr(name, '@') == NULL && (name[0] == '_' || strcmp(name, "in_bytes") == 0);

    return !is_plain(name) || is_field ? "_other" : name;
}

static inline struct ref_row *ref_find(const char *account, const char *kind, const char *period,
                                       const char *user)
{
    for (size_t i = 0; i < ref_count; i++) {
        if (strcmp(ref[i].account, account) == 0 && strcmp(ref[i].kind, kind) == 0 &&
            strcmp(ref[i].period, period) == 0 && strcmp(ref[i].user, user) == 0)
            return &ref[i];
    }
    return NULL;
}

static inline uint64_t ref_users(const char *account, const char *kind, const char *period)
{
    uint64_t n = 0;

    for (size_t i = 0; i < ref_count; i++) {
        n += strcmp(ref[i].account, account) == 0 && strcmp(ref[i].kind, kind) == 0 &&
             strcmp(ref[i].period, period) == 0 && strcmp(ref[i].user, "_other") != 0;
    }
    return n;
}

/* So much of an account or user, in one period. */
struct share {
    struct slice account, user;
    struct tally tally;
    uint64_t number;
};

static inline void ref_add(const struct share *share, const char *kind, const char *period,
                           int64_t expires_s, uint64_t users_max)
{
    char account_text[64], user_text[64];
    const char *account, *user;
    struct ref_row *row;

    (void)snprintf(account_text, sizeof account_text, "%.*s", SLICE_FMT(share->account));
    (void)snprintf(user_text, sizeof user_text, "%.*s", SLICE_FMT(share->user));
    account = ref_account(account_text);
    user = user_text[0] == '\0' ? "" : ref_user(user_text);
    row = ref_find(account, kind, period, user);
    if (row == NULL && user[0] != '\0' && strcmp(user, "_other") != 0 &&
        ref_users(account, kind, period) >= users_max) {
        user = "_other";
        row = ref_find(account, kind, period, user);
    }
    if (row == NULL) {
        must(ref_count == REF_ROWS, "room for the reference");
        row = &ref[ref_count++];
        *row = (struct ref_row){.expires_s = expires_s};
        (void)snprintf(row->account, sizeof row->account, "%s", account);
        (void)snprintf(row->kind, sizeof row->kind, "%s", kind);
        (void)snprintf(row->period, sizeof row->period, "%s", period);
        (void)snprintf(row->user, sizeof row->user, "%s", user);
    }
    tally_add(&row->tally, &share->tally);
    row->number = share->number;
}

static inline void ref_share(const struct share *share, time_t t, uint64_t users_max)
{
    char month[PERIOD_TEXT], day[PERIOD_TEXT], hour[PERIOD_TEXT];
    int64_t day_s = period_end(PERIOD_DAY, t) + (int64_t)400 * 86400,
            hour_s = period_end(PERIOD_HOUR, t) + (int64_t)45 * 86400;

    period_name(PERIOD_MONTH, t, month);
    period_name(PERIOD_DAY, t, day);
    period_name(PERIOD_HOUR, t, hour);
    if (share->user.len > 0) {
        ref_add(share, "users:month", month, 0, users_max);
        ref_add(share, "users:day", day, day_s, users_max);
        return;
    }
    ref_add(share, "total", "", 0, 0);
    ref_add(share, "month", month, 0, 0);
    ref_add(share, "day", day, day_s, 0);
    ref_add(share, "hour", hour, hour_s, 0);
}

static inline void ref_legs(const struct record *r, uint64_t number, time_t t, uint64_t users_max)
{
    for (size_t i = 0; i < r->leg_count; i++) {
        struct share share = {r->legs[i].account, r->legs[i].user, {{0}}, number};

        record_leg_count(r, &r->legs[i], &share.tally);
        ref_share(&share, t, users_max);
    }
}

static inline void ref_amounts(const struct record *r, time_t t, uint64_t users_max)
{
    for (size_t i = 0; i < r->amount_count; i++) {
        struct share share = {r->amounts[i].account, r->amounts[i].user, {{0}}, r->number};

        share.tally.value[r->amounts[i].counter] = r->amounts[i].value;
        ref_share(&share, t, users_max);
    }
}

static inline void ref_hold(const struct sample *s)
{
    struct ref_held *h = &ref_held[ref_held_count++];

    must(ref_held_count > REF_HELD, "room for held messages");
    h->sample = *s;
    h->sample.record.legs = h->sample.legs;
    h->sample.record.queue_id = slice_str(h->sample.queue_id);
    h->is_held = true;
}

/* The held message of that number, which is held no longer; NULL: there is none. */
static inline const struct record *ref_let_go(uint64_t number)
{
    for (size_t i = 0; i < ref_held_count; i++) {
        if (ref_held[i].sample.record.number == number && ref_held[i].is_held) {
            ref_held[i].is_held = false;
            return &ref_held[i].sample.record;
        }
    }
    return NULL;
}

/* Legs of messages, at once or when released, and the amounts of every record but of those that let
 * go what is not held. */
static inline void ref_sample(const struct sample *s, uint64_t users_max)
{
    const struct record *r = &s->record, *held;
    time_t t = (time_t)(r->time_ms / 1000);

    if (r->kind == RECORD_MESSAGE)
        ref_legs(r, r->number, t, users_max);
    if (r->kind == RECORD_HELD)
        ref_hold(s);
    if (r->kind == RECORD_RELEASE || r->kind == RECORD_FORGET) {
        held = ref_let_go(r->held_number);
        if (held == NULL)
            return;
        if (r->kind == RECORD_RELEASE)
            ref_legs(held, r->number, t, users_max);
    }
    ref_amounts(r, t, users_max);
}

#endif
