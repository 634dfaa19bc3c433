/* journal_resume: what a loss of power takes from the end of a segment that others follow. */
#include "t/tap.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/journal.h"
#include "lib/sys/journal_segment.h"
#include "lib/sys/settings.h"
#include "t/sys/journal_fixture.h"

#define RECORDS 25

static uint64_t *numbers;
static size_t count;

/* Some segments of a few records each. */
static void segments_make(void)
{
    struct journal *j = fixture_open(200, SYNC_NEVER);

    for (uint64_t n = 1; n <= RECORDS; n++)
        (void)fixture_append(j, n, -1);
    journal_close(j);
    if (journal_segments_list(fixture_dir, &numbers, &count, NULL) != 0 || count < 4)
        abort();
}

static void segments_clear(void)
{
    free(numbers);
    fixture_clear();
}

/* Where record `number` of a segment begins. */
static size_t offset_of(struct slice bytes, uint64_t number)
{
    struct journal_frame f;
    size_t at = 0;

    while (journal_frame_parse(slice_from(bytes, at), &f) == FRAME_GOOD && f.number < number)
        at += f.size;
    return at;
}

/* Opened and read: all but records `first` to `last` - 1, which are empty. -1: the reader stops. */
static bool reads_all_but(uint64_t first, uint64_t last)
{
    struct journal_reader *r = fixture_reader(0);
    struct record record;
    struct err err;
    bool good = true;
    uint64_t due = 1;

    while (journal_reader_next(r, &record, &err) == 1) {
        bool is_lost = due >= first && due < last;

        good = good && record.number == due &&
               (is_lost ? record.kind == RECORD_EVENT && record.leg_count == 0 &&
                              record.amount_count == 0
                        : fixture_is_record(&record, due));
        due++;
    }
    journal_reader_close(r);
    return good && due == RECORDS + 1;
}

static void test_every_byte(void)
{
    segments_make();
    uint64_t first = numbers[count - 2], end = numbers[count - 1];
    struct buf whole = fixture_file_read(first);
    bool told = true, read = true;

    for (size_t len = 0; len < whole.len; len++) {
        struct slice left = slice_to(buf_slice(&whole), len);
        const struct journal_lost_end *lost;
        uint64_t next = first;
        struct journal *j;

        while (next < end && offset_of(buf_slice(&whole), next + 1) <= len)
            next++;
        fixture_file_write(first, left);
        j = fixture_open(200, SYNC_NEVER);
        lost = journal_lost_end(j);
        told = told && lost->segment == first && lost->records == end - next &&
               lost->bytes == len - offset_of(buf_slice(&whole), next) && lost->to_ms != 0 &&
               (next == first ? lost->from_ms == 0 : lost->from_ms <= lost->to_ms);
        journal_close(j);
        read = read && reads_all_but(next, end);
        j = fixture_open(200, SYNC_NEVER);
        told = told && journal_lost_end(j)->segment == 0;
        journal_close(j);
    }
    OK(told, "the end of a segment that is cut at any byte is told, once");
    OK(read, "and all other records are read");
    buf_fini(&whole);
    segments_clear();
}

static void test_two(void)
{
    segments_make();
    struct journal *j;

    fixture_file_write(numbers[count - 2], SLICE("\0"));
    fixture_file_write(numbers[count - 3], SLICE("torn"));
    j = fixture_open(200, SYNC_NEVER);
    OK(journal_lost_end(j)->segment == numbers[count - 3] &&
           journal_lost_end(j)->records == numbers[count - 1] - numbers[count - 3] &&
           journal_lost_end(j)->bytes == 5,
       "two segments in turn");
    journal_close(j);
    OK(reads_all_but(numbers[count - 3], numbers[count - 1]), "are read on");
    segments_clear();
}

static bool is_read(void)
{
    struct journal_reader *r = fixture_reader(0);
    struct record record;
    struct err err;
    int rc = 1;

    while (rc == 1)
        rc = journal_reader_next(r, &record, &err);
    journal_reader_close(r);
    return rc == 0;
}

/* What a sync has confirmed, and what no loss of power does, is damage as before. */
static void test_damage(void)
{
    segments_make();
    uint64_t first = numbers[count - 2];
    struct buf whole = fixture_file_read(first);
    struct journal *j;

    fixture_file_write(first, slice_to(buf_slice(&whole), whole.len - 3));
    j = fixture_open(200, SYNC_TIMED);
    OK(journal_lost_end(j)->segment == 0 && fixture_file_size(first) == whole.len - 3,
       "a segment that was synced before the next one began");
    journal_close(j);
    OK(!is_read(), "is damaged if its end is torn");
    whole.data[30] ^= 1;
    fixture_file_write(first, buf_slice(&whole));
    j = fixture_open(200, SYNC_NEVER);
    OK(journal_lost_end(j)->segment == 0 && fixture_file_size(first) == whole.len,
       "a bad record with good ones behind it is left");
    journal_close(j);
    OK(!is_read(), "and is damage");
    whole.data[30] ^= 1;
    fixture_file_write(first, buf_slice(&whole));
    fixture_file_write(numbers[0], SLICE("torn"));
    j = fixture_open(200, SYNC_NEVER);
    OK(journal_lost_end(j)->segment == 0 && fixture_file_size(numbers[0]) == 4,
       "and so is an older segment behind a whole one");
    journal_close(j);
    buf_fini(&whole);
    segments_clear();
}

int main(void)
{
    fixture_init();
    test_every_byte();
    test_two();
    test_damage();
    fixture_fini();
    return tap_done();
}
