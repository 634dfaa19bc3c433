#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/sys/journal_segment.h"
#include "lib/sys/log.h"
#include "t/sim/sim_ask.h"
#include "t/sim/sim_files.h"
#include "t/sim/sim_pool.h"
#include "t/sim/sim_redis.h"
#include "t/sim/sim_store.h"
#include "t/sim/sim_vfs.h"
#include "t/sim/sim_world.h"

/*
 * Two nodes, their disks, the clock and Redis in one process, and one seed that decides all that
 * happens to them. The code of journal, fold, ledger and push is the real one, and so are SQLite
 * and the scripts.
 *
 * usage: simulate FIRST COUNT REDIS.LUA          seeds; a line for each that fails, exit status 1
 *        simulate calls FIRST COUNT REDIS.LUA    seeds without other faults, each run once for each
 *                                                call that changes a file: it dies there
 *        simulate cut FIRST COUNT REDIS.LUA      journals of seeds, cut at every byte
 *        simulate ask REDIS.LUA                  t/sim/sim_ask.h
 *        SIM_TRACE=1: what happens, step by step; the files stay
 *        SIM_EVERY=N: calls and cut take only each Nth call or byte
 */

#define SETTLE_ROUNDS 12
#define SEAL_ROUNDS   10
#define QUIET_ROUNDS  4
#define QUIET_MS      10000 /* after which the fleet is looked at */

/* The one fault of a run without others. */
struct death {
    size_t node;
    enum sim_fault fault;
    uint32_t call;
};

static char base[100];
static struct random_source trips;
static uint64_t runs, failed;
static uint32_t every = 1;

/* Rows with a seal: among the faults, and in the end. */
static uint64_t sealed_early, sealed;

/* Rounds until nothing changes any more, also not when the nodes look at each other again. */
static void rounds(struct sim *m, int most, void (*round)(struct sim *m))
{
    (void)sim_redis_is_quiet();
    for (int i = 0, quiet = 0; i < most && quiet < QUIET_ROUNDS && m->fault[0] == '\0'; i++) {
        if (quiet == 1)
            sim_clock_advance(QUIET_MS);
        round(m);
        sim_check_now(m);
        quiet = sim_redis_is_quiet() ? quiet + 1 : 0;
    }
}

static void time_round(struct sim *m)
{
    sim_time_passes(m, 1);
}

static void calm_round(struct sim *m)
{
    sim_calm(m, 1);
}

/* The periods end, so that rows are sealed, and all is to be as before. */
static void seal(struct sim *m)
{
    sim_period_end(m, PERIOD_MONTH);
    rounds(m, SEAL_ROUNDS, time_round);
    sealed += sim_sealed();
}

static void settle(struct sim *m)
{
    sealed_early += sim_sealed();
    for (size_t i = 0; i < SIM_NODES; i++) {
        if (!sim_disk_is_dead(m->nodes[i].disk))
            sim_node_close(&m->nodes[i]);
    }
    m->faults = 0;
    rounds(m, SETTLE_ROUNDS, calm_round);
}

/* Most seeds go on with rows that are sealed, whatever happens to them then. */
static void events_run(struct sim *m)
{
    static const enum period_kind kinds[] = {PERIOD_HOUR, PERIOD_DAY, PERIOD_MONTH, PERIOD_MONTH};
    uint32_t events = 20 + random_below(&m->random, 80);
    uint32_t end = 10 + random_below(&m->random, events);

    for (m->step = 1; m->step <= events && m->fault[0] == '\0'; m->step++) {
        size_t node = random_below(&m->random, SIM_NODES);

        sim_revive(m, node);
        if (m->fault[0] == '\0' && m->step == end) {
            sim_period_end(m, kinds[random_below(&m->random, 4)]);
            sim_time_passes(m, SEAL_ROUNDS);
        } else if (m->fault[0] == '\0') {
            sim_event(m, node);
        }
        sim_check_now(m);
    }
}

/* `plan` NULL: the seed's own faults. */
static void run(struct sim *m, uint64_t seed, const struct death *plan)
{
    trips.state = ~seed;
    sim_begin(m, seed, base);
    m->is_quiet = plan != NULL;
    if (plan != NULL)
        sim_disk_plan(m->nodes[plan->node].disk, plan->fault, plan->call);
    events_run(m);
    if (m->fault[0] == '\0')
        settle(m);
    if (m->fault[0] == '\0')
        sim_check_end(m);
    if (m->fault[0] == '\0')
        seal(m);
    if (m->fault[0] == '\0')
        sim_check_end(m);
}

static bool told(struct sim *m, uint64_t seed, const char *where)
{
    runs++;
    sim_end(m);
    if (m->fault[0] == '\0')
        return true;
    failed++;
    printf("seed %llu%s: %s\n", (unsigned long long)seed, where, m->fault);
    (void)fflush(stdout);
    return false;
}

static void seed_run(struct sim *m, uint64_t seed)
{
    run(m, seed, NULL);
    (void)told(m, seed, "");
}

/* --- death at every call --------------------------------------------------------------------- */

static uint32_t calls_of(struct sim *m, uint64_t seed, size_t node)
{
    struct death none = {node, SIM_NONE, 0};
    uint32_t calls;

    run(m, seed, &none);
    calls = sim_disk_calls(m->nodes[node].disk);
    (void)told(m, seed, ", no fault");
    return calls;
}

static void calls_run(struct sim *m, uint64_t seed)
{
    static const enum sim_fault faults[] = {SIM_KILL, SIM_TORN, SIM_POWER};
    char where[80];

    for (size_t node = 0; node < SIM_NODES; node++) {
        uint32_t calls = calls_of(m, seed, node);

        for (uint32_t i = 0; i < 3 * calls; i += every) {
            struct death p = {node, faults[i % 3], i / 3};

            run(m, seed, &p);
            (void)snprintf(where, sizeof where, ", node %zu, fault %d at call %u", node,
                           (int)p.fault, p.call);
            if (!told(m, seed, where) && m->is_traced)
                return;
        }
    }
}

/* --- a cut at every byte --------------------------------------------------------------------- */

static void newest_path(const struct sim_node *n, char path[300])
{
    uint64_t *numbers;
    size_t count;

    if (journal_segments_list(n->journal_dir, &numbers, &count, NULL) != 0 || count == 0)
        abort();
    (void)snprintf(path, 300, "%s/%020llu.journal", n->journal_dir,
                   (unsigned long long)numbers[count - 1]);
    free(numbers);
}

static size_t newest_bytes(const struct sim_node *n)
{
    struct stat st;
    char path[300];

    newest_path(n, path);
    return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

/* Which of its records a journal shows whose newest segment has only `len` bytes: all before the
 * cut, to a server and a ledger that are new. */
static uint64_t shown_of_cut(struct sim *m, struct sim_node *n, size_t len, const char *whole)
{
    struct err err = {0};
    char path[300];

    sim_files_remove(n->dir, SIM_FILES_ALL);
    sim_files_copy(whole, n->dir, SIM_FILES_JOURNAL);
    sim_disk_forget(n->disk);
    sim_store_reset();
    newest_path(n, path);
    if (truncate(path, (off_t)len) != 0)
        abort();
    if (sim_node_open(n, &err) != 0) {
        sim_fail(m, "no start after a cut", err.text);
        return 0;
    }
    sim_node_fold(n);
    for (int i = 0; i < 4; i++)
        (void)sim_node_push(n, &err);
    sim_node_close(n);
    return sim_shown();
}

/* The records that a cut leaves are those of the whole, from the first on, one more at most for
 * each byte more. */
static void cut_run(struct sim *m, uint64_t seed)
{
    struct death none = {0, SIM_NONE, 0};
    struct sim_node *n = &m->nodes[0];
    char whole[240], where[40] = "";
    uint64_t last = 0, all;

    run(m, seed, &none);
    for (size_t i = 0; i < SIM_NODES; i++)
        sim_node_close(&m->nodes[i]);
    (void)snprintf(whole, sizeof whole, "%s.whole", n->dir);
    sim_files_copy(n->dir, whole, SIM_FILES_ALL);
    size_t bytes = newest_bytes(n);
    all = shown_of_cut(m, n, bytes, whole);
    for (size_t len = 0; len <= bytes && m->fault[0] == '\0'; len += every) {
        uint64_t shown = shown_of_cut(m, n, len, whole);

        if ((last & ~shown) != 0 || (shown & ~all) != 0 ||
            __builtin_popcountll(shown & ~last) > (len == 0 ? 64 : (int)every))
            sim_fail(m, "a cut journal counts other records", "");
        (void)snprintf(where, sizeof where, ", cut to %zu bytes", len);
        last = shown;
        runs++;
    }
    if (m->fault[0] == '\0' && all == 0)
        sim_fail(m, "a whole journal counts nothing", "");
    (void)told(m, seed, where);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct sim *m, uint64_t seed);
    } modes[] = {{"calls", calls_run}, {"cut", cut_run}};
    static struct sim sim;
    void (*mode)(struct sim * m, uint64_t seed) = seed_run;
    uint64_t first, count;

    if (argc == 3 && strcmp(argv[1], "ask") == 0) {
        sim_store_begin(argv[2], &trips);
        return sim_ask_serve();
    }
    for (size_t i = 0; argc > 4 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0)
            mode = modes[i].run;
    }
    if (argc != (mode == seed_run ? 4 : 5))
        return 64;
    argv += argc - 4;
    if (getenv("SIM_EVERY") != NULL && atoi(getenv("SIM_EVERY")) > 0)
        every = (uint32_t)atoi(getenv("SIM_EVERY"));
    (void)setenv("TZ", "UTC", 1);
    log_open("simulate", LOG_TARGET_STDERR, LOG_MAIL,
             getenv("SIM_TRACE") != NULL ? LOG_DEBUG : LOG_EMERG);
    (void)snprintf(base, sizeof base, "/dev/shm/tg-sim-%d", (int)getpid());
    first = strtoull(argv[1], NULL, 10);
    count = strtoull(argv[2], NULL, 10);
    sim_store_begin(argv[3], &trips);
    if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 1200, 500) != SQLITE_OK)
        abort();
    sim_vfs_begin();
    for (uint64_t seed = first; seed < first + count; seed++)
        mode(&sim, seed);
    sim_pool_end();
    sim_store_end();
    printf("%llu rows were sealed among the faults, %llu in the end\n",
           (unsigned long long)sealed_early, (unsigned long long)sealed);
    if (mode == seed_run)
        printf("%llu seeds, %llu failed\n", (unsigned long long)count, (unsigned long long)failed);
    else
        printf("%llu seeds, %llu runs, %llu failed\n", (unsigned long long)count,
               (unsigned long long)runs, (unsigned long long)failed);
    return failed == 0 ? 0 : 1;
}
