#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/ledger/amounts.h"
#include "lib/ledger/ledger_held.h"
#include "lib/sys/clock.h"
#include "t/ledger/fold_reference.h"
#include "t/tap.h"

/*
 * Random records folded into a ledger, in batches cut at random and over restarts, against a slow
 * and obvious reference that takes one leg of one record after the other.
 */

static char dir[64], path[80], other_path[80];

/* --- comparing ------------------------------------------------------------------------------- */

static const char *const kinds[] = {"total", "month", "day", "hour", "users:month", "users:day"};

static struct row_key ref_key(const struct ref_row *r)
{
    struct row_key key = {.account = slice_str(r->account),
                          .period = slice_str(r->period),
                          .user = slice_str(r->user)};

    for (int i = 0; i < 6; i++) {
        if (strcmp(kinds[i], r->kind) == 0)
            key.kind = (enum row_kind)i;
    }
    return key;
}

static bool same(struct ledger *l, const struct ref_row *r)
{
    struct row_key key = ref_key(r);
    struct tally got = {0};
    struct row row;

    if (ledger_row_find(l, &key, &row, NULL, &err) != 1) {
        printf("# missing: %s %s %s %s\n", r->account, r->kind, r->period, r->user);
        return false;
    }
    must(amounts_read(row.counters, &got, &err), "amounts_read");
    if (memcmp(&got, &r->tally, sizeof got) == 0 && row.number == r->number &&
        row.expires_s == r->expires_s && row.dirty == ROW_DIRTY)
        return true;
    printf("# differs: %s %s %s %s: %.*s\n", r->account, r->kind, r->period, r->user,
           SLICE_FMT(row.counters));
    return false;
}

static size_t row_count(struct ledger *l)
{
    struct row row;
    size_t n = 0;

    ledger_walk_start(l, WALK_ALL, 0, 1000000);
    while (ledger_walk_next(l, &row, &err) == 1)
        n++;
    ledger_walk_end(l);
    return n;
}

static bool held_same(const struct held_row *row, const struct ref_held *held)
{
    const struct record *r = &held->sample.record;
    char account[64];

    (void)snprintf(account, sizeof account, "%.*s", SLICE_FMT(r->held_by));
    return row->number == r->number && row->time_ms == r->time_ms &&
           slice_equal(row->queue_id, r->queue_id) &&
           slice_equal(row->account, slice_str(ref_account(account))) &&
           slice_equal(row->node, SLICE("mx1"));
}

/* Those that are held are there, in their order, and none besides. */
static bool held_all_same(struct ledger *l)
{
    struct held_row row;
    size_t at = 0;
    bool right = true;

    ledger_held_walk_start(l, HELD_WALK_ALL, 0, 1000000);
    while (ledger_held_walk_next(l, &row, &err) == 1) {
        if (row.state != HELD_NEW)
            continue;
        while (at < ref_held_count && !ref_held[at].is_held)
            at++;
        right = right && at < ref_held_count && held_same(&row, &ref_held[at]);
        at++;
    }
    ledger_walk_end(l);
    while (at < ref_held_count && !ref_held[at].is_held)
        at++;
    return right && at == ref_held_count;
}

static void is_reference(struct ledger *l, const char *what)
{
    size_t good = 0;

    for (size_t i = 0; i < ref_count; i++)
        good += same(l, &ref[i]);
    IS_INT(good, ref_count, what);
    IS_INT(row_count(l), ref_count, "and no other row");
    OK(held_all_same(l), "and the held messages");
    IS_INT(ledger_dirty_rows(l), ref_count, "all of them to be pushed");
}

/* --- the tests ------------------------------------------------------------------------------- */

static void ledgers_remove(void)
{
    char command[400];

    (void)snprintf(command, sizeof command, "rm -f %s %s-* %s %s-*", path, path, other_path,
                   other_path);
    must(system(command), "rm");
    ref_count = ref_held_count = 0;
}

static struct ledger *open_ledger(const char *file)
{
    struct ledger *l = ledger_open(file, "mx1", &err);

    must(l == NULL, "ledger_open");
    return l;
}

static struct journal_position position_after(uint64_t number)
{
    return (struct journal_position){1, number * 100, number + 1};
}

/* Times that cross hours, days, months and a change of summer time, and now and then go back a bit.
 */
static int64_t next_time(int64_t time_ms)
{
    static const int64_t steps_ms[] = {1, 1000, 60000, 1800000, 3600000, 40000000};

    return time_ms + steps_ms[dice(6)] * (dice(4) == 0) - 900000 * (dice(8) == 0);
}

static void test_random(const char *zone)
{
    struct row_sums_config config = {.users = true, .users_max = 12};
    struct ledger *l = open_ledger(path), *other = open_ledger(other_path);
    struct slice node = SLICE("@mx1");
    struct fold batch, single;
    struct sample s;
    int64_t time_ms = INT64_C(1774600000000);

    must(clock_zone_set(zone, &err), "clock_zone_set");
    fold_init(&batch, &config, node);
    fold_init(&single, &config, node);
    for (uint64_t number = 1; number <= 400; number++) {
        time_ms = next_time(time_ms);
        sample_make(&s, number, time_ms);
        ref_sample(&s, config.users_max);
        must(fold_add(&batch, l, &s.record, &err), "fold_add");
        must(fold_add(&single, other, &s.record, &err), "fold_add");
        must(fold_apply(&single, other, position_after(number), &err), "fold_apply");
        if (dice(50) == 0 || number == 400)
            must(fold_apply(&batch, l, position_after(number), &err), "fold_apply");
        if (dice(100) == 0 && batch.records == 0) {
            ledger_close(l);
            l = open_ledger(path);
        }
    }
    OK(batch.strays > 20 && batch.strays == single.strays, "what was not held is noticed");
    is_reference(l, "batches: as the reference");
    is_reference(other, "one by one: as the reference");
    IS_INT(ledger_meta(l)->position.number, 401, "the position behind the last record");
    IS_INT(ledger_meta(l)->latest_ms, time_ms, "the last record's time");
    fold_fini(&batch);
    fold_fini(&single);
    ledger_close(l);
    ledger_close(other);
    ledgers_remove();
}

/* A day that begins within an hour of UTC, and a clock that is set back over its beginning. */
static void test_set_back(void)
{
    static const int64_t times_s[] = {1774635660, 1774635240, 1774635660, 1774631940};
    struct row_sums_config config = {.users = true, .users_max = 12};
    struct ledger *l = open_ledger(path);
    struct slice node = SLICE("@mx1");
    struct sample s;
    struct fold f;

    must(clock_zone_set("Asia/Kathmandu", &err), "clock_zone_set");
    fold_init(&f, &config, node);
    for (uint64_t number = 1; number <= 4; number++) {
        sample_make(&s, number, times_s[number - 1] * 1000);
        ref_sample(&s, config.users_max);
        must(fold_add(&f, l, &s.record, &err), "fold_add");
    }
    must(fold_apply(&f, l, position_after(4), &err), "fold_apply");
    is_reference(l, "a clock that was set back over midnight");
    fold_fini(&f);
    ledger_close(l);
    ledgers_remove();
}

/* A batch that cannot be written changes nothing, and is read again from where the ledger stands.
 */
static void test_disk_full(void)
{
    struct row_sums_config config = {.users = true, .users_max = 12};
    struct ledger *l = open_ledger(path);
    struct slice node = SLICE("@mx1");
    struct rlimit limit, none;
    struct fold f;
    struct sample s[60];
    int rc;

    fold_init(&f, &config, node);
    for (uint64_t i = 0; i < 60; i++) {
        sample_make(&s[i], i + 1, INT64_C(1774600000000));
        ref_sample(&s[i], config.users_max);
    }
    for (int i = 0; i < 30; i++)
        must(fold_add(&f, l, &s[i].record, &err), "fold_add");
    must(fold_apply(&f, l, position_after(30), &err), "fold_apply");
    IS_INT(ledger_sync(l, &err), 1, "the first half is on the disk");

    for (int i = 30; i < 60; i++)
        must(fold_add(&f, l, &s[i].record, &err), "fold_add");
    (void)signal(SIGXFSZ, SIG_IGN);
    must(getrlimit(RLIMIT_FSIZE, &none), "getrlimit");
    limit = none;
    limit.rlim_cur = 8192;
    (void)fflush(stdout);
    must(setrlimit(RLIMIT_FSIZE, &limit), "setrlimit");
    rc = fold_apply(&f, l, position_after(60), &err);
    must(setrlimit(RLIMIT_FSIZE, &none), "setrlimit");
    OK(rc < 0, "no room");
    OK(strstr(err.text, path) != NULL, "which is said");
    IS_INT(ledger_meta(l)->position.number, 31, "the position stands");
    IS_INT(f.records, 0, "the batch is empty");

    for (int i = 30; i < 60; i++)
        must(fold_add(&f, l, &s[i].record, &err), "fold_add");
    must(fold_apply(&f, l, position_after(60), &err), "fold_apply");
    is_reference(l, "the same records once more: counted once");
    fold_fini(&f);
    ledger_close(l);
    ledgers_remove();
}

static void user_message(struct fold *f, struct ledger *l, uint64_t number, const char *user)
{
    struct leg leg = {.kind = LEG_IN,
                      .account = SLICE("a.example"),
                      .user = slice_str(user),
                      .messages = 1,
                      .recipients = 1,
                      .bytes = 10};
    struct record r = {
        .number = number, .time_ms = INT64_C(1774600000000), .legs = &leg, .leg_count = 1};

    must(fold_add(f, l, &r, &err), "fold_add");
}

static uint64_t user_messages(struct ledger *l, const char *user)
{
    struct row_key key = {SLICE("a.example"), ROW_USERS_MONTH, SLICE("2026-03"), slice_str(user)};
    struct tally t = {0};
    struct row row;

    if (ledger_row_find(l, &key, &row, NULL, &err) == 1)
        must(amounts_read(row.counters, &t, &err), "amounts_read");
    return t.value[COUNTER_IN_MESSAGES];
}

static void test_users_max(void)
{
    struct row_sums_config config = {.users = true, .users_max = 2};
    struct slice node = SLICE("@mx1");
    struct ledger *l = open_ledger(path);
    struct fold f;

    fold_init(&f, &config, node);
    user_message(&f, l, 1, "a@a.example");
    must(fold_apply(&f, l, position_after(1), &err), "fold_apply");
    ledger_close(l);
    l = ledger_open(path, "mx2", &err);
    user_message(&f, l, 2, "a@a.example");
    user_message(&f, l, 3, "b@a.example");
    user_message(&f, l, 4, "c@a.example");
    user_message(&f, l, 5, "b@a.example");
    must(fold_apply(&f, l, position_after(5), &err), "fold_apply");
    IS_INT(user_messages(l, "a@a.example"), 1, "a user of before, under the node's new name");
    IS_INT(user_messages(l, "b@a.example"), 2, "a second one");
    IS_INT(user_messages(l, "c@a.example"), 0, "no third");
    IS_INT(user_messages(l, "_other"), 1, "who is among the others");
    f.sums.config.users_max = 3;
    user_message(&f, l, 6, "c@a.example");
    user_message(&f, l, 7, "d@a.example");
    f.sums.config.users_max = 3;
    must(fold_apply(&f, l, position_after(7), &err), "fold_apply");
    IS_INT(user_messages(l, "c@a.example"), 1, "until there is more room");
    IS_INT(user_messages(l, "_other"), 2, "for one");
    f.sums.config.users = false;
    user_message(&f, l, 8, "b@a.example");
    must(fold_apply(&f, l, position_after(8), &err), "fold_apply");
    IS_INT(user_messages(l, "b@a.example"), 2, "users are no longer counted");
    fold_fini(&f);
    ledger_close(l);
    ledgers_remove();
}

int main(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/fold-t.XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    (void)snprintf(path, sizeof path, "%s/ledger.db", dir);
    (void)snprintf(other_path, sizeof other_path, "%s/other.db", dir);
    ref = calloc(REF_ROWS, sizeof *ref);
    ref_held = calloc(REF_HELD, sizeof *ref_held);
    must(ref == NULL || ref_held == NULL, "calloc");
    test_random("UTC");
    test_random("Europe/Berlin");
    test_random("Asia/Kathmandu");
    test_set_back();
    must(clock_zone_set("UTC", &err), "clock_zone_set");
    test_disk_full();
    test_users_max();
    free(ref);
    free(ref_held);
    OK(rmdir(dir) == 0, "nothing left behind");
    return tap_done();
}
