/*
 * journal: kill -9 of a process that appends, 50 times. No record is lost whose append returned,
 * none is there twice, and the in-flight table names just those that the MTA may not have heard of.
 */
#include "t/tap.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/journal.h"
#include "lib/sys/settings.h"
#include "t/random.h"
#include "t/sys/journal_fixture.h"

enum { ROUNDS = 50, THREADS = 4, SEGMENT_BYTES = 5000 };

/* How far each thread of the child came, in shared memory; by the numbers of its records. */
struct progress {
    _Atomic uint64_t appends;
    _Atomic uint64_t acknowledged[THREADS]; /* journal_append has returned */
    _Atomic uint64_t clearing[THREADS];     /* journal_slot_clear is about to be called */
    _Atomic uint64_t cleared[THREADS];      /* and has returned */
};

struct task {
    struct journal *journal;
    struct progress *progress;
    unsigned index;
    pthread_t thread;
};

static void *append_for_ever(void *arg)
{
    struct task *t = arg;
    int slot = journal_slot_take(t->journal);

    for (;;) {
        uint64_t number = fixture_append(t->journal, t->index, slot);

        atomic_store(&t->progress->acknowledged[t->index], number);
        (void)atomic_fetch_add(&t->progress->appends, 1);
        atomic_store(&t->progress->clearing[t->index], number);
        journal_slot_clear(t->journal, slot);
        atomic_store(&t->progress->cleared[t->index], number);
    }
    return NULL;
}

static void child(struct progress *progress, int sync)
{
    struct task tasks[THREADS];
    struct journal *j = fixture_open(SEGMENT_BYTES, sync);

    for (unsigned i = 0; i < THREADS; i++) {
        tasks[i] = (struct task){.journal = j, .progress = progress, .index = i};
        (void)pthread_create(&tasks[i].thread, NULL, append_for_ever, &tasks[i]);
    }
    for (;;) {
        journal_tick(j, clock_monotonic_ms());
        clock_sleep_ms(1);
    }
}

static void run_and_kill(struct progress *progress, struct random_source *random)
{
    uint64_t until = 1 + random_below(random, 300);
    int sync = random_below(random, 2) == 0 ? SYNC_ALWAYS : SYNC_TIMED;
    pid_t pid;

    (void)fflush(NULL);
    memset((void *)progress, 0, sizeof *progress);
    pid = fork();
    if (pid == 0)
        child(progress, sync);
    while (atomic_load(&progress->appends) < until)
        (void)usleep(random_below(random, 200));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* The last record of each thread, read from where the reader stood; false for a fault. */
static bool read_round(struct journal_position *at, uint64_t last[THREADS])
{
    struct err err = {0};
    struct journal_reader *r = journal_reader_open(fixture_dir, *at, &err);
    uint64_t due = at->number == 0 ? 1 : at->number;
    struct record record;
    int result;

    while ((result = r == NULL ? -1 : journal_reader_next(r, &record, &err)) == 1) {
        uint64_t thread = fixture_content(&record);

        if (record.number != due++ || thread >= THREADS)
            break;
        last[thread] = record.number;
    }
    if (result == 0) {
        *at = journal_reader_position(r);
        result = journal_trim(fixture_dir, *at, &none_kept, &err);
    }
    if (result != 0)
        printf("# %s\n", err.text);
    journal_reader_close(r);
    return result == 0;
}

static bool holds(const uint64_t *numbers, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == number)
            return true;
    }
    return false;
}

/* A thread's last record is doubtful until its slot was cleared; in between it may be either. */
static bool is_doubt_right(const struct progress *p, unsigned thread, uint64_t last,
                           const uint64_t *numbers, size_t count)
{
    bool doubtful = holds(numbers, count, last);

    if (last == 0 || last == p->cleared[thread])
        return !doubtful;
    return last == p->clearing[thread] || doubtful;
}

struct tally_of_kills {
    int lost, wrong_doubt, strangers, unreadable, doubtful;
};

static void check_round(const struct progress *p, struct journal_position *at,
                        struct tally_of_kills *t)
{
    struct journal *j = fixture_open(SEGMENT_BYTES, SYNC_NEVER);
    uint64_t numbers[THREADS * 2], last[THREADS] = {0};
    size_t count = journal_in_doubt(j, numbers, THREADS * 2);

    if (!read_round(at, last))
        t->unreadable++;
    for (unsigned i = 0; i < THREADS; i++) {
        if (last[i] < p->acknowledged[i])
            t->lost++;
        if (!is_doubt_right(p, i, last[i], numbers, count))
            t->wrong_doubt++;
    }
    for (size_t i = 0; i < count; i++) {
        if (!holds(last, THREADS, numbers[i]))
            t->strangers++;
    }
    t->doubtful += (int)count;
    journal_in_doubt_forget(j);
    journal_close(j);
}

int main(void)
{
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct random_source random = {20261121};
    struct journal_position at = {0, 0, 0};
    struct tally_of_kills t = {0};

    fixture_init();
    for (int i = 0; i < ROUNDS; i++) {
        run_and_kill(progress, &random);
        check_round(progress, &at, &t);
    }
    IS_INT(t.unreadable, 0, "the journal is whole after each kill, numbers without gaps");
    IS_INT(t.lost, 0, "no record is lost whose append returned");
    IS_INT(t.wrong_doubt, 0, "each message that the MTA may not have heard of is named, no other");
    IS_INT(t.strangers, 0, "no number is named that is not there");
    OK(t.doubtful > 0, "some were");
    OK(at.number > ROUNDS, "there were records");
    printf("# %llu records, %d doubtful\n", (unsigned long long)at.number - 1, t.doubtful);
    fixture_fini();
    return tap_done();
}
