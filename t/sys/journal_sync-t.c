/* journal: what is forced to the disk, and what becomes of a disk that refuses it. */
#include "t/tap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/journal.h"
#include "lib/sys/settings.h"
#include "t/sys/journal_fixture.h"

/* These stand before those of libc. */
static int files_synced, folders_synced, failing;

int fdatasync(int fd)
{
    (void)fd;
    files_synced++;
    errno = failing;
    return failing != 0 ? -1 : 0;
}

int fsync(int fd)
{
    (void)fd;
    folders_synced++;
    errno = failing;
    return failing != 0 ? -1 : 0;
}

static void forget(void)
{
    files_synced = folders_synced = failing = 0;
}

static void test_always(void)
{
    struct journal *j = fixture_open(1, SYNC_ALWAYS);

    for (uint64_t n = 1; n <= 3; n++) {
        forget();
        OK(fixture_append(j, n, -1) == n && files_synced >= 1, "each record before its answer");
        IS_INT(folders_synced, n > 1, "and the directory when a segment is new");
        OK(n == 1 || files_synced == 2, "with the segment before it");
    }
    forget();
    failing = EIO;
    IS_INT(fixture_append(j, 4, -1), 0, "a disk that refuses");
    failing = 0;
    IS_INT(fixture_append(j, 5, -1), 0, "is not believed again");
    journal_close(j);
    fixture_clear();
}

static void test_timed(void)
{
    struct journal_config config = {
        .dir = fixture_dir, .segment_bytes = 1, .sync = SYNC_TIMED, .sync_ms = 1000};
    struct err err = {0};
    struct journal *j = journal_open(&config, &err);

    forget();
    OK(fixture_append(j, 1, -1) == 1 && files_synced == 0, "a record waits");
    journal_tick(j, 500);
    IS_INT(files_synced, 0, "for its time");
    journal_tick(j, 1000);
    IS_INT(files_synced, 1, "and is synced then");
    journal_tick(j, 2000);
    IS_INT(files_synced, 1, "once");
    OK(fixture_append(j, 2, -1) == 2 && files_synced == 1, "a new segment");
    failing = EIO;
    journal_tick(j, 2001);
    OK(folders_synced == 1 && files_synced == 3, "is synced at once, with the one before");
    OK(journal_check(j, &err) == -1 && err.code == EX_IOERR, "a disk that refuses is an error");
    forget();
    journal_close(j);
    fixture_clear();
}

/* No loss of power tears a segment that another one follows. */
static void test_rotation(void)
{
    struct journal *j = fixture_open(1, SYNC_TIMED);
    struct err err = {0};

    forget();
    OK(fixture_append(j, 1, -1) == 1 && files_synced == 0, "a record of the first segment");
    OK(fixture_append(j, 2, -1) == 2 && files_synced == 1 && fixture_segments() == 2,
       "which is synced before the second one is begun");
    failing = EIO;
    OK(fixture_append(j, 3, -1) == 0 && fixture_segments() == 2,
       "where that fails there is no third one");
    failing = 0;
    OK(journal_check(j, &err) == -1 && err.code == EX_IOERR && fixture_append(j, 3, -1) == 0,
       "nor later");
    journal_close(j);
    fixture_clear();
}

/* A sync that a half record came into does not speak for the file that was cut since. On a disk
 * that is full neither a segment nor a record can be made. */
static void test_cut_back(void)
{
    struct journal *j = fixture_open(1, SYNC_TIMED);
    struct rlimit limit, small;
    struct record r = {.queue_id = SLICE("x")};
    struct err err;

    (void)fixture_append(j, 1, -1);
    journal_tick(j, 1000);
    fixture_file_write(2, SLICE("in the way"));
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = fixture_file_size(1) + 5;
    (void)setrlimit(RLIMIT_FSIZE, &small);
    OK(journal_append(j, &r, -1, &err) == -1, "half a record is cut back");
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    fixture_file_remove(2);
    forget();
    OK(fixture_append(j, 2, -1) == 2 && fixture_segments() == 2 && files_synced == 1,
       "and that is synced before the next segment");
    journal_close(j);
    fixture_clear();
}

/* Who never syncs does not ask whether the disk could. */
static void test_never(void)
{
    struct journal *j = fixture_open(1, SYNC_NEVER);
    struct err err = {0};

    forget();
    failing = EIO;
    for (uint64_t n = 1; n <= 5; n++) {
        OK(fixture_append(j, n, -1) == n, "appended");
        journal_tick(j, (int64_t)n * 5000);
        OK(journal_check(j, &err) == 0, "and the next one is accepted");
    }
    journal_close(j);
    IS_INT(files_synced + folders_synced, 0, "nothing is synced");
    fixture_clear();
}

int main(void)
{
    fixture_init();
    test_always();
    test_timed();
    test_rotation();
    test_cut_back();
    test_never();
    fixture_fini();
    return tap_done();
}
