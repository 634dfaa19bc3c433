/* journal: there and back, rotation, numbers, times, slots, many writers. */
#include "t/tap.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "lib/core/crc32c.h"
#include "lib/sys/clock.h"
#include "lib/sys/journal.h"
#include "lib/sys/journal_segment.h"
#include "lib/sys/settings.h"
#include "t/sys/journal_fixture.h"

static void test_crc(void)
{
    char zeros[32] = {0}, ones[32];

    memset(ones, 0xff, sizeof ones);
    /* RFC 3720 B.4 */
    IS_INT(crc32c(0, (struct slice){zeros, 32}), 0x8a9136aa, "32 zeros");
    IS_INT(crc32c(0, (struct slice){ones, 32}), 0x62a8ab43, "32 ones");
    IS_INT(crc32c(0, SLICE("123456789")), 0xe3069283, "the check value");
    IS_INT(crc32c(crc32c(0, SLICE("12345")), SLICE("6789")), 0xe3069283, "in parts");
}

static void test_there_and_back(void)
{
    struct journal *j = fixture_open(0, SYNC_ALWAYS);
    struct journal_reader *r;
    struct journal_position at;
    struct record record;
    struct err err = {0};
    int64_t before = clock_unix_ms();

    r = journal_reader_open(fixture_dir, (struct journal_position){0, 0, 0}, &err);
    OK(r != NULL && journal_reader_next(r, &record, &err) == 0, "an empty journal gives nothing");
    for (uint64_t n = 1; n <= 3; n++)
        OK(fixture_append(j, n, -1) == n, "appended with the next number");
    for (uint64_t n = 1; n <= 3; n++) {
        OK(journal_reader_next(r, &record, &err) == 1 && record.number == n &&
               fixture_is_record(&record, n),
           "and read as it was");
        OK(record.time_ms >= before && record.time_ms <= clock_unix_ms(), "with its time");
    }
    IS_INT(journal_reader_next(r, &record, &err), 0, "and no more");
    at = journal_reader_position(r);
    journal_reader_close(r);
    journal_close(j);
    j = fixture_open(0, SYNC_NEVER);
    OK(fixture_append(j, 4, -1) == 4, "opened again it goes on");
    r = journal_reader_open(fixture_dir, at, &err);
    OK(r != NULL && journal_reader_next(r, &record, &err) == 1 && fixture_is_record(&record, 4),
       "and so does a reader from a position");
    journal_reader_close(r);
    journal_close(j);
    fixture_clear();
}

static void test_large(void)
{
    struct journal *j = fixture_open(0, SYNC_NEVER);
    struct record r = {.legs = calloc(300000, sizeof(struct leg)), .leg_count = 300000}, got;
    struct journal_reader *reader;
    struct err err = {0};

    for (size_t i = 0; i < r.leg_count; i++)
        r.legs[i] =
            (struct leg){.account = SLICE("example.com"), .user = SLICE("a"), .messages = i};
    OK(journal_append(j, &r, -1, &err) == 0, "a record larger than the reader's buffer");
    OK(fixture_append(j, 2, -1) == 2, "and a small one");
    reader = fixture_reader(0);
    OK(journal_reader_next(reader, &got, &err) == 1 && got.leg_count == 300000 &&
           got.legs[299999].messages == 299999,
       "is read whole");
    OK(journal_reader_next(reader, &got, &err) == 1 && fixture_is_record(&got, 2),
       "then the other");
    r.legs[0].user.len = FRAME_MAX_BYTES;
    r.legs[0].user.ptr = calloc(1, FRAME_MAX_BYTES);
    OK(journal_append(j, &r, -1, &err) == -1 && err.code == EX_DATAERR,
       "one beyond all bounds is refused");
    OK(fixture_append(j, 3, -1) == 3, "without harm");
    free((void *)(uintptr_t)r.legs[0].user.ptr);
    free(r.legs);
    journal_reader_close(reader);
    journal_close(j);
    fixture_clear();
}

static void test_rotation(void)
{
    struct journal *j = fixture_open(200, SYNC_TIMED);
    struct journal_reader *r = fixture_reader(0), *again;
    struct record record;
    struct err err = {0};
    bool good = true;

    for (uint64_t n = 1; n <= 100; n++) {
        good = good && fixture_append(j, n, -1) == n;
        good = good && journal_reader_next(r, &record, &err) == 1 && fixture_is_record(&record, n);
        good = good && journal_reader_next(r, &record, &err) == 0;
        if (n % 10 == 0)
            journal_tick(j, (int64_t)n * 1000);
    }
    OK(good, "a reader at the end goes along over segments");
    OK(fixture_segments() > 10, "there are many segments");
    again = fixture_reader(0);
    for (uint64_t n = 1; n <= 100; n++)
        good =
            good && journal_reader_next(again, &record, &err) == 1 && fixture_is_record(&record, n);
    OK(good && journal_reader_next(again, &record, &err) == 0, "one from the beginning reads all");
    journal_reader_close(again);
    OK(journal_trim(fixture_dir, journal_reader_position(r), &none_kept, &err) == 0, "trimmed");
    IS_INT(fixture_segments(), 1, "the newest stays");
    journal_close(j);
    j = fixture_open(200, SYNC_TIMED);
    OK(fixture_append(j, 101, -1) == 101, "numbers go on after trimming");
    OK(journal_reader_next(r, &record, &err) == 1 && fixture_is_record(&record, 101),
       "and reading");
    again = fixture_reader(0);
    OK(again != NULL && journal_reader_next(again, &record, &err) == 1 && record.number > 90,
       "from the beginning is now from what is left");
    journal_reader_close(again);
    again = journal_reader_open(fixture_dir, (struct journal_position){1, 0, 1}, &err);
    OK(again == NULL && err.code == EX_DATAERR && strstr(err.text, "records 1 to ") != NULL,
       "what has been trimmed cannot be asked for");
    journal_reader_close(r);
    journal_close(j);
    fixture_clear();
}

/* Makes the oldest segment one that was written to at that time. */
static void age_oldest(time_t written_s)
{
    struct timespec times[2] = {{.tv_sec = written_s}, {.tv_sec = written_s}};
    char path[PATH_MAX];
    uint64_t *numbers;
    size_t count;
    struct err err = {0};

    if (journal_segments_list(fixture_dir, &numbers, &count, &err) == 0 &&
        journal_segment_path(fixture_dir, numbers[0], path, &err) == 0)
        OK(utimensat(AT_FDCWD, path, times, 0) == 0, "the oldest segment is old");
    free(numbers);
}

static size_t trimmed(struct journal_position at, int64_t since_s, uint64_t max_bytes,
                      uint64_t free)
{
    struct journal_keep keep = {since_s, max_bytes, free};
    struct err err = {0};

    return journal_trim(fixture_dir, at, &keep, &err) == 0 ? fixture_segments() : 0;
}

static void test_kept(void)
{
    struct journal *j = fixture_open(200, SYNC_NEVER);
    struct journal_reader *r = fixture_reader(0);
    struct journal_position end;
    struct record record;
    struct err err = {0};
    size_t segments, kept;

    for (uint64_t n = 1; n <= 60; n++)
        (void)fixture_append(j, n, -1);
    while (journal_reader_next(r, &record, &err) == 1)
        ;
    end = journal_reader_position(r);
    segments = fixture_segments();
    IS_INT(trimmed(end, 0, 1 << 20, 0), segments, "all are kept");
    age_oldest(1000);
    IS_INT(trimmed(end, 1001, 1 << 20, 0), segments - 1, "one that is too old goes");
    kept = trimmed(end, 0, 1000, 0);
    OK(kept > 2 && kept < segments - 1, "only so many bytes are kept");
    IS_INT(trimmed(end, 0, 1 << 20, UINT64_MAX), 1, "on a full disk only the newest stays");
    OK(fixture_append(j, 61, -1) == 61 && journal_reader_next(r, &record, &err) == 1 &&
           fixture_is_record(&record, 61),
       "numbers and reading go on");
    journal_reader_close(r);
    journal_close(j);
    fixture_clear();
}

static void test_trim_keeps(void)
{
    struct journal *j = fixture_open(200, SYNC_NEVER);
    struct journal_reader *r = fixture_reader(0), *again;
    struct record record;
    struct err err = {0};

    for (uint64_t n = 1; n <= 30; n++)
        (void)fixture_append(j, n, -1);
    for (uint64_t n = 1; n <= 15; n++)
        TG_IGNORE(journal_reader_next(r, &record, &err));
    OK(journal_trim(fixture_dir, journal_reader_position(r), &none_kept, &err) == 0,
       "trimmed in the middle");
    again = journal_reader_open(fixture_dir, journal_reader_position(r), &err);
    OK(again != NULL && journal_reader_next(again, &record, &err) == 1 && record.number == 16,
       "what was not read is there");
    journal_reader_close(again);
    journal_reader_close(r);
    journal_close(j);
    fixture_clear();
}

static void test_raise(void)
{
    struct journal *j = fixture_open(0, SYNC_NEVER);
    struct journal_position ahead = {1, 100000, 50};
    struct journal_reader *r;
    struct record record;
    struct err err = {0};

    (void)fixture_append(j, 1, -1);
    journal_close(j);
    j = fixture_open(0, SYNC_NEVER);
    r = journal_reader_open(fixture_dir, ahead, &err);
    OK(r != NULL && journal_reader_next(r, &record, &err) == 0,
       "a reader ahead of the journal waits");
    journal_raise_number(j, 50);
    journal_raise_number(j, 7);
    OK(fixture_append(j, 50, -1) == 50, "numbers begin where they must");
    OK(journal_reader_next(r, &record, &err) == 1 && fixture_is_record(&record, 50),
       "and the reader finds them");
    journal_reader_close(r);
    journal_close(j);
    fixture_clear();
    j = fixture_open(0, SYNC_NEVER);
    journal_raise_number(j, 50);
    (void)fixture_append(j, 50, -1);
    r = fixture_reader(0);
    OK(journal_reader_next(r, &record, &err) == 1 && record.number == 50,
       "an empty segment leaves no trace");
    journal_reader_close(r);
    journal_close(j);
    fixture_clear();
}

static void test_time(void)
{
    struct journal *j = fixture_open(0, SYNC_NEVER);
    struct journal_reader *r;
    struct record record;
    struct err err = {0};
    uint64_t next = 0;
    int64_t now, ahead = clock_unix_ms() + 1800000;
    struct buf b;

    (void)fixture_append(j, 1, -1);
    now = journal_now(j, &next);
    IS_INT(next, 2, "the number after the last");
    (void)fixture_append(j, 2, -1);
    r = fixture_reader(0);
    TG_IGNORE(journal_reader_next(r, &record, &err));
    OK(record.time_ms <= now, "what was dated before");
    TG_IGNORE(journal_reader_next(r, &record, &err));
    OK(record.time_ms >= now, "what is dated after journal_now");
    journal_close(j);
    /* A newest record half an hour ahead of the clock, as after a clock that was set back. */
    buf_init(&b, 1000);
    journal_frame_begin(&b);
    record_encode(&record, &b);
    journal_reader_close(r); /* the record lives no longer */
    journal_frame_finish(&b, journal_frame_sum(&b), 1, ahead);
    fixture_file_write(1, buf_slice(&b));
    j = fixture_open(0, SYNC_NEVER);
    IS_INT(journal_now(j, &next), ahead, "time stands still until the clock has caught up");
    journal_close(j);
    journal_frame_finish(&b, crc32c(0, slice_from(buf_slice(&b), FRAME_HEAD_BYTES)), 1,
                         ahead + 7200000);
    fixture_file_write(1, buf_slice(&b));
    j = fixture_open(0, SYNC_NEVER);
    now = journal_now(j, &next);
    OK(now < ahead, "but follows it back over more than an hour");
    journal_close(j);
    buf_fini(&b);
    fixture_clear();
}

static void test_slots(void)
{
    struct journal *j = fixture_open(0, SYNC_NEVER);
    uint64_t numbers[8] = {0};
    int a = journal_slot_take(j), b = journal_slot_take(j), c = journal_slot_take(j), count = 3;

    OK(a >= 0 && b >= 0 && c >= 0 && a != b && b != c, "three slots");
    (void)fixture_append(j, 1, a);
    (void)fixture_append(j, 2, b);
    (void)fixture_append(j, 3, c);
    journal_slot_clear(j, a);
    journal_slot_release(j, b);
    IS_INT(journal_in_doubt(j, numbers, 8), 0, "slots in use are not doubtful");
    journal_close(j); /* as a kill would leave it: c is set */
    j = fixture_open(0, SYNC_NEVER);
    IS_INT(journal_in_doubt(j, numbers, 8), 1, "one was left");
    IS_INT(numbers[0], 3, "the third");
    a = journal_slot_take(j);
    (void)fixture_append(j, 4, a);
    journal_close(j);
    j = fixture_open(0, SYNC_NEVER);
    IS_INT(journal_in_doubt(j, numbers, 8), 2, "crashes add up until they are seen to");
    OK(numbers[0] == 3 && numbers[1] == 4, "in order");
    IS_INT(journal_in_doubt(j, numbers, 1), 2, "all are counted, though fewer are given");
    journal_in_doubt_forget(j);
    journal_close(j);
    j = fixture_open(0, SYNC_NEVER);
    IS_INT(journal_in_doubt(j, numbers, 8), 0, "forgotten");
    for (count = 0; journal_slot_take(j) >= 0;)
        count++;
    IS_INT(count, 16384, "as many slots as are promised");
    journal_slot_release(j, 5);
    IS_INT(journal_slot_take(j), 5, "a slot given back is free");
    journal_slot_clear(j, -1);
    journal_slot_release(j, -1);
    journal_close(j);
    fixture_named_write("inflight", SLICE("another version"));
    j = fixture_open(0, SYNC_NEVER);
    OK(j != NULL && journal_in_doubt(j, numbers, 8) == 0, "a foreign table is made anew");
    journal_close(j);
    fixture_clear();
}

/* A number that stood in a slot when the write never happened is nobody's. */
static void test_slot_without_record(void)
{
    struct journal *j = fixture_open(0, SYNC_NEVER);
    uint64_t numbers[8];
    size_t last;

    (void)fixture_append(j, 1, -1);
    last = fixture_file_size(1);
    (void)fixture_append(j, 2, journal_slot_take(j));
    journal_close(j);
    struct buf b = fixture_file_read(1);
    fixture_file_write(1, slice_to(buf_slice(&b), last + 5));
    j = fixture_open(0, SYNC_NEVER);
    IS_INT(journal_in_doubt(j, numbers, 8), 0, "a slot of a record that was not written");
    buf_fini(&b);
    journal_close(j);
    fixture_clear();
}

enum { WRITERS = 8, EACH = 500 };

struct writer {
    struct journal *journal;
    pthread_t thread;
    unsigned index;
    uint64_t numbers[EACH];
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    int slot = journal_slot_take(w->journal);

    for (unsigned i = 0; i < EACH; i++) {
        w->numbers[i] = fixture_append(w->journal, w->index * 1000000 + i, slot);
        journal_slot_clear(w->journal, slot);
    }
    journal_slot_release(w->journal, slot);
    return NULL;
}

static _Atomic bool ticking;

static void *tick_always(void *arg)
{
    while (atomic_load(&ticking)) {
        journal_tick(arg, clock_monotonic_ms());
        clock_sleep_ms(1);
    }
    return NULL;
}

static uint64_t contents[WRITERS * EACH + 1]; /* what the reader saw, by number */

static void read_all(struct journal_reader *r)
{
    struct record record;
    struct err err = {0};
    int64_t last_ms = 0;
    int result = 0;
    bool good = true;

    for (uint64_t n = 1; n <= WRITERS * EACH && result >= 0;) {
        result = journal_reader_next(r, &record, &err);
        if (result == 0)
            clock_sleep_ms(1);
        if (result != 1)
            continue;
        good = good && record.number == n && record.time_ms >= last_ms;
        last_ms = record.time_ms;
        contents[n++] = fixture_content(&record);
    }
    if (!OK(result == 1 && good, "a reader that tails sees every record once, in order"))
        printf("# %s\n", err.text);
}

static void compare(const struct writer *writers)
{
    bool good = true;

    for (unsigned w = 0; w < WRITERS; w++) {
        for (unsigned i = 0; i < EACH; i++)
            good = good && writers[w].numbers[i] != 0 &&
                   contents[writers[w].numbers[i]] == writers[w].index * 1000000 + i;
    }
    OK(good, "and each under the number that its writer was told");
}

static void test_threads(int sync, uint64_t segment_bytes)
{
    static struct writer writers[WRITERS];
    struct journal *j = fixture_open(segment_bytes, sync);
    struct journal_reader *r = fixture_reader(0);
    pthread_t ticker;

    atomic_store(&ticking, true);
    (void)pthread_create(&ticker, NULL, tick_always, j);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.journal = j, .index = i};
        (void)pthread_create(&writers[i].thread, NULL, write_many, &writers[i]);
    }
    read_all(r);
    for (unsigned i = 0; i < WRITERS; i++)
        (void)pthread_join(writers[i].thread, NULL);
    compare(writers);
    atomic_store(&ticking, false);
    (void)pthread_join(ticker, NULL);
    journal_reader_close(r);
    journal_close(j);
    fixture_clear();
}

int main(void)
{
    fixture_init();
    test_crc();
    test_there_and_back();
    test_large();
    test_rotation();
    test_kept();
    test_trim_keeps();
    test_raise();
    test_time();
    test_slots();
    test_slot_without_record();
    test_threads(SYNC_TIMED, 4000);
    test_threads(SYNC_ALWAYS, 100000);
    fixture_fini();
    return tap_done();
}
