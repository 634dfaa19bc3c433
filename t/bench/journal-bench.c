#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/files.h"
#include "lib/sys/journal.h"
#include "lib/sys/journal_search.h"
#include "lib/sys/settings.h"
#include "t/random.h"

/*
 * How long it takes to find messages in the journal: all, those of one account of many, and one by
 * its queue id; with the indexes of full segments and without.
 *
 * usage: journal-bench [RECORDS [ACCOUNTS]]
 */

enum { USERS = 20, NAME_BYTES = 64 };

static struct err err;
static const char *dir;

static void must(int rc)
{
    if (rc != 0) {
        (void)fprintf(stderr, "journal-bench: %s\n", err.text);
        exit(1);
    }
}

static void record_append(struct journal *j, uint64_t number, unsigned account, unsigned user)
{
    char names[3][NAME_BYTES];
    struct leg leg = {.kind = LEG_IN, .messages = 1, .recipients = 1, .bytes = 4321}, legs[4];
    struct record r = {.legs = legs, .leg_count = 4, .bytes = 4321};

    (void)snprintf(names[0], NAME_BYTES, "domain%u.example", account);
    (void)snprintf(names[1], NAME_BYTES, "user%u@domain%u.example", user, account);
    (void)snprintf(names[2], NAME_BYTES, "4b%012llX", (unsigned long long)number);
    for (int i = 0; i < 4; i++)
        legs[i] = leg;
    legs[0].account = legs[1].account = slice_str(names[0]);
    legs[1].user = slice_str(names[1]);
    legs[2].account = legs[3].account = SLICE(ACCOUNT_NODE);
    legs[3].kind = LEG_MESSAGE;
    r.queue_id = slice_str(names[2]);
    must(journal_append(j, &r, -1, &err));
}

static void journal_fill(uint64_t records, unsigned accounts)
{
    struct journal_config config = {.dir = dir, .sync = SYNC_NEVER};
    struct journal *j = journal_open(&config, &err);
    struct random_source random = {1};

    must(j == NULL);
    for (uint64_t number = 1; number <= records; number++)
        record_append(j, number, random_below(&random, accounts), random_below(&random, USERS));
    journal_close(j);
}

static int take(void *context, const struct journal_found *found, struct err *why)
{
    uint64_t *count = context;

    (void)found;
    (void)why;
    ++*count;
    return 0;
}

static void measure(const char *what, size_t keys, enum journal_key_kind kind, const char *name)
{
    int64_t took_ms = clock_monotonic_ms();
    uint64_t count = 0;
    struct journal_search search = {.from_ms = 0,
                                    .to_ms = INT64_MAX,
                                    .keys = {journal_key(kind, slice_str(name))},
                                    .key_count = keys,
                                    .take = take,
                                    .context = &count};

    must(journal_search_run(dir, &search, &err));
    took_ms = clock_monotonic_ms() - took_ms;
    printf("  %-26s %10llu records read, %6lld ms\n", what, (unsigned long long)count,
           (long long)took_ms);
}

static void measure_all(const char *queue_id)
{
    measure("all", 0, JOURNAL_KEY_ACCOUNT, "");
    measure("one account", 1, JOURNAL_KEY_ACCOUNT, "domain7.example");
    measure("one queue id", 1, JOURNAL_KEY_QUEUE_ID, queue_id);
}

static void index_all(void)
{
    int64_t took_ms = clock_monotonic_ms();
    uint64_t from = 0;
    int rc;

    while ((rc = journal_index_step(dir, &from, UINT64_MAX, &err)) > 0)
        continue;
    must(rc);
    printf("indexes made in %lld ms; the journal with them: %.1f MB\n",
           (long long)(clock_monotonic_ms() - took_ms), (double)file_dir_bytes(dir) / 1e6);
}

int main(int argc, char **argv)
{
    uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    unsigned accounts = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 50000;
    char top[] = "/tmp/journal-bench.XXXXXX", path[64], queue_id[NAME_BYTES], command[80];

    if (mkdtemp(top) == NULL || accounts == 0)
        return 1;
    (void)snprintf(path, sizeof path, "%s/journal", top);
    (void)snprintf(queue_id, sizeof queue_id, "4b%012llX", (unsigned long long)records / 2);
    dir = path;
    journal_fill(records, accounts);
    printf("%llu records of %u accounts, %.1f MB; without indexes:\n", (unsigned long long)records,
           accounts, (double)file_dir_bytes(dir) / 1e6);
    measure_all(queue_id);
    index_all();
    measure_all(queue_id);
    (void)snprintf(command, sizeof command, "rm -rf %s", top);
    return system(command) == 0 ? 0 : 1;
}
