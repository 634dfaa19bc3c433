#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/ledger/fold.h"
#include "lib/sys/clock.h"
#include "t/random.h"

/*
 * How many records a second are folded into a ledger, on one core: messages in, with their users,
 * over some hundred accounts, as they come off the journal.
 *
 * usage: fold-bench [RECORDS [ACCOUNTS [USERS of an account [RECORDS a batch]]]]
 */

static struct err err;

static void must(int rc)
{
    if (rc != 0) {
        (void)fprintf(stderr, "fold-bench: %s\n", err.text);
        exit(1);
    }
}

static void record_make(struct record *r, struct leg legs[4], char names[2][64], unsigned account,
                        unsigned user)
{
    struct leg leg = {.kind = LEG_IN, .messages = 1, .recipients = 1, .bytes = 4321};

    (void)snprintf(names[0], 64, "domain%u.example", account);
    (void)snprintf(names[1], 64, "user%u@domain%u.example", user, account);
    for (int i = 0; i < 4; i++)
        legs[i] = leg;
    legs[0].account = legs[1].account = slice_str(names[0]);
    legs[1].user = slice_str(names[1]);
    legs[2].account = legs[3].account = SLICE(ACCOUNT_NODE);
    legs[3].kind = LEG_MESSAGE;
    r->legs = legs;
    r->leg_count = 4;
    r->bytes = 4321;
}

static void fold_some(struct fold *f, struct ledger *l, uint64_t records, unsigned accounts,
                      unsigned users, uint64_t batch)
{
    struct random_source random = {1};
    struct leg legs[4];
    char names[2][64];

    for (uint64_t number = 1; number <= records; number++) {
        struct record r = {.number = number, .time_ms = 1774600000000 + (int64_t)number};

        record_make(&r, legs, names, random_below(&random, accounts), random_below(&random, users));
        must(fold_add(f, l, &r, &err));
        if (number % batch == 0 || number == records || fold_is_full(f))
            must(fold_apply(f, l, (struct journal_position){1, number, number + 1}, &err));
    }
}

int main(int argc, char **argv)
{
    uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
    unsigned accounts = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 300;
    unsigned users = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 20;
    uint64_t batch = argc > 4 ? strtoull(argv[4], NULL, 10) : 5000;
    struct row_sums_config config = {.users = true, .users_max = 10000};
    char dir[] = "/tmp/fold-bench.XXXXXX", path[64], command[80];
    struct ledger *l;
    struct fold f;
    int64_t took_ms;

    if (mkdtemp(dir) == NULL || batch == 0 || accounts == 0 || users == 0)
        return 1;
    (void)snprintf(path, sizeof path, "%s/ledger.db", dir);
    l = ledger_open(path, "mx1", &err);
    must(l == NULL);
    fold_init(&f, &config, SLICE("@mx1"));
    took_ms = clock_monotonic_ms();
    fold_some(&f, l, records, accounts, users, batch);
    took_ms = clock_monotonic_ms() - took_ms;
    printf("%llu records, %u accounts of %u users, %llu a batch: %lld ms, %.0f records/s\n",
           (unsigned long long)records, accounts, users, (unsigned long long)batch,
           (long long)took_ms, (double)records * 1000 / (double)(took_ms > 0 ? took_ms : 1));
    fold_fini(&f);
    ledger_close(l);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : 1;
}
