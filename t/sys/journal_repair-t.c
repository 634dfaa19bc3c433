/* journal_repair: whatever byte is wrong, whatever file is gone: the good records are read again.
 */
#include "t/tap.h"

#include <sysexits.h>

#include "lib/sys/journal_repair.h"
#include "t/sys/journal_fixture.h"

#define RECORDS       5
#define SEGMENT_BYTES 60 /* two records */

static struct err err;
static uint64_t firsts[RECORDS]; /* of the segments */
static size_t segments;
static struct buf files[RECORDS];

static void journal_make(void)
{
    struct journal *j = fixture_open(SEGMENT_BYTES, SYNC_NEVER);
    uint64_t *numbers;

    for (uint64_t i = 1; i <= RECORDS; i++)
        (void)fixture_append(j, i, -1);
    journal_close(j);
    if (journal_segments_list(fixture_dir, &numbers, &segments, &err) != 0)
        abort();
    for (size_t i = 0; i < segments; i++) {
        firsts[i] = numbers[i];
        files[i] = fixture_file_read(numbers[i]);
    }
    free(numbers);
}

static void journal_restore(void)
{
    fixture_clear();
    if (mkdir(fixture_dir, 0700) != 0)
        abort();
    for (size_t i = 0; i < segments; i++)
        fixture_file_write(firsts[i], buf_slice(&files[i]));
}

/* Bit i: record i is as it was. -1: the journal is not readable to its end. */
static int readable(void)
{
    struct journal *j = fixture_open(SEGMENT_BYTES, SYNC_NEVER);
    struct journal_reader *r = fixture_reader(0);
    struct record record;
    int good = 0, rc;

    while ((rc = journal_reader_next(r, &record, &err)) == 1) {
        if (fixture_is_record(&record, record.number))
            good |= 1 << record.number;
        else if (record.kind != RECORD_EVENT || record.leg_count + record.amount_count > 0)
            rc = -1;
    }
    journal_reader_close(r);
    journal_close(j);
    return rc == 0 ? good : -1;
}

static int all(void)
{
    return (1 << (RECORDS + 1)) - 2;
}

static int lost(int good)
{
    int count = 0;

    for (int i = 1; i <= RECORDS; i++)
        count += (good & 1 << i) == 0;
    return count;
}

/* The first record that begins at or behind that byte of a segment. */
static size_t record_at(const struct buf *file, size_t byte, size_t *index)
{
    struct journal_frame f;
    size_t at = 0;

    for (*index = 0; at < file->len; (*index)++) {
        TG_IGNORE(journal_frame_parse(slice_from(buf_slice(file), at), &f));
        if (byte < at + f.size)
            return at;
        at += f.size;
    }
    return at;
}

static void test_sound(void)
{
    struct journal_repaired m;

    OK(journal_repair(fixture_dir, 1, &m, &err) == 0 && m.segments == 0 && m.records == 0,
       "a sound journal stays as it is");
    OK(journal_repair(fixture_dir, 0, &m, &err) == 0 && m.segments == 0 && readable() == all(),
       "also where nobody knows what is needed");
    OK(segments >= 3, "it has several segments");
}

static void test_flips(void)
{
    bool repaired = true, told = true, kept = true;
    struct journal_repaired m;

    for (size_t s = 0; s < segments; s++) {
        for (size_t byte = 0; byte < files[s].len; byte++) {
            bool is_last = s + 1 == segments;
            size_t index, at = record_at(&files[s], byte, &index);
            uint64_t number = firsts[s] + index;
            int good;

            journal_restore();
            files[s].data[byte] ^= 0x20;
            fixture_file_write(firsts[s], buf_slice(&files[s]));
            files[s].data[byte] ^= 0x20;
            repaired = repaired && journal_repair(fixture_dir, 1, &m, &err) == 0;
            good = readable();
            repaired = repaired && good == (all() & ~(1 << number));
            /* The end of the newest segment is torn, not damaged. */
            told = told && (number == RECORDS && is_last
                                ? m.records == 0
                                : m.records == 1 && m.first == number && m.last == number);
            kept = kept && (m.segments == 0 || at < files[s].len);
        }
    }
    OK(repaired, "a bit flipped in any byte costs the record that it is in, and no other");
    OK(told && kept, "which is told");
}

static void test_cuts(void)
{
    bool repaired = true, told = true;
    struct journal_repaired m;

    for (size_t s = 0; s < segments; s++) {
        for (size_t len = 0; len < files[s].len; len++) {
            size_t index;
            int good;

            (void)record_at(&files[s], len, &index);
            journal_restore();
            fixture_file_write(firsts[s], slice_to(buf_slice(&files[s]), len));
            repaired = repaired && journal_repair(fixture_dir, 1, &m, &err) == 0;
            good = readable();
            for (uint64_t n = 1; n <= RECORDS; n++) {
                bool gone = n >= firsts[s] + index && (s + 1 == segments || n < firsts[s + 1]);

                repaired = repaired && ((good & 1 << n) != 0) == !gone;
            }
            told = told && (s + 1 == segments ? m.records == 0 : m.records == (uint64_t)lost(good));
        }
    }
    OK(repaired, "a segment cut at any byte costs what was cut off");
    OK(told, "which is told, but for the end of the newest");
}

static void test_gone(void)
{
    struct journal_repaired m;
    char aside[PATH_MAX + sizeof ".damaged"];

    journal_restore();
    fixture_file_remove(firsts[0]);
    OK(journal_repair(fixture_dir, firsts[1], &m, &err) == 0 && m.records == 0,
       "the first segment is gone, and not needed");
    OK(journal_repair(fixture_dir, 2, &m, &err) == 0 && m.first == 2 && m.last == firsts[1] - 1 &&
           lost(readable()) == (int)firsts[1] - 1,
       "it is needed from record 2 on");
    journal_restore();
    fixture_file_remove(firsts[1]);
    OK(journal_repair(fixture_dir, 1, &m, &err) == 0 && m.first == firsts[1] &&
           m.last == firsts[2] - 1 && lost(readable()) == (int)(firsts[2] - firsts[1]),
       "a segment in the middle is gone");
    (void)snprintf(aside, sizeof aside, "%s.damaged", fixture_path(firsts[0]));
    OK(access(aside, F_OK) == 0, "the file that was written anew is kept");
    OK(journal_repair(fixture_dir, 1, &m, &err) == 0 && m.segments == 0, "repaired once is enough");
}

static void test_rubbish(void)
{
    struct journal_repaired m;
    size_t index, at = record_at(&files[0], SEGMENT_BYTES / 2, &index);
    struct buf b;

    for (size_t s = 0; s < segments; s += segments - 1) {
        journal_restore();
        at = record_at(&files[s], files[s].len - 1, &index);
        buf_init(&b, 4096);
        buf_add(&b, slice_to(buf_slice(&files[s]), at));
        buf_add(&b, SLICE("rubbish between two records"));
        buf_add(&b, slice_from(buf_slice(&files[s]), at));
        fixture_file_write(firsts[s], buf_slice(&b));
        buf_fini(&b);
        OK(journal_repair(fixture_dir, 1, &m, &err) == 0 && m.records == 0 && m.segments == 1 &&
               readable() == all(),
           "rubbish between records goes");
    }
}

static void test_limit(void)
{
    struct journal_repaired m;

    journal_restore();
    fixture_file_write(JOURNAL_REPAIR_MAX + 100, SLICE_NONE);
    OK(journal_repair(fixture_dir, 1, &m, &err) < 0 && err.code == EX_DATAERR,
       "too many records are missing");
    journal_restore();
    fixture_file_write(50000, SLICE_NONE);
    OK(journal_repair(fixture_dir, 50000, &m, &err) == 0 && m.segments == 0,
       "a gap before what is needed is none: numbers were never given");
}

int main(void)
{
    fixture_init();
    journal_make();
    test_sound();
    test_flips();
    test_cuts();
    test_gone();
    test_rubbish();
    test_limit();
    for (size_t i = 0; i < segments; i++)
        buf_fini(&files[i]);
    fixture_fini();
    return tap_done();
}
