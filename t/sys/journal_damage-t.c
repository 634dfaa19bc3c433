/* journal: torn tails, flipped bits, missing segments, a full disk. */
#include "t/tap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "lib/sys/journal.h"
#include "lib/sys/journal_segment.h"
#include "lib/sys/settings.h"
#include "t/sys/journal_fixture.h"

/* A journal of three records; the file's bytes and where the last record begins. */
static struct buf three(size_t *last)
{
    struct journal *j = fixture_open(0, SYNC_NEVER);
    struct buf b;

    (void)fixture_append(j, 1, -1);
    (void)fixture_append(j, 2, -1);
    *last = fixture_file_size(1);
    (void)fixture_append(j, 3, -1);
    journal_close(j);
    b = fixture_file_read(1);
    return b;
}

static void test_torn(void)
{
    size_t last;
    struct buf whole = three(&last);
    bool cut = true, numbered = true, read = true;
    struct err err = {0};

    for (size_t len = last; len < whole.len; len++) {
        struct journal *j;
        struct journal_reader *r;
        struct record record;

        fixture_file_write(1, slice_to(buf_slice(&whole), len));
        j = fixture_open(0, SYNC_NEVER);
        cut = cut && journal_cut_bytes(j) == len - last && fixture_file_size(1) == last;
        numbered = numbered && fixture_append(j, 33, -1) == 3;
        r = fixture_reader(0);
        read = read && journal_reader_next(r, &record, &err) == 1 &&
               fixture_is_record(&record, 1) && journal_reader_next(r, &record, &err) == 1 &&
               fixture_is_record(&record, 2) && journal_reader_next(r, &record, &err) == 1 &&
               fixture_is_record(&record, 33) && journal_reader_next(r, &record, &err) == 0;
        journal_reader_close(r);
        journal_close(j);
    }
    OK(cut, "a tail torn at any byte is cut");
    OK(numbered, "its number is given again");
    OK(read, "and all is read");
    buf_fini(&whole);
    fixture_clear();
}

static void test_zeros(void)
{
    size_t last;
    struct buf whole = three(&last);
    struct journal *j;

    memset(whole.data + last, 0, whole.len - last);
    fixture_file_write(1, buf_slice(&whole));
    j = fixture_open(0, SYNC_NEVER);
    OK(j != NULL && journal_cut_bytes(j) == whole.len - last, "a tail of zeros is cut");
    journal_close(j);
    buf_fini(&whole);
    fixture_clear();
}

/* Every bit of the first two records: opening must tell, and so must the reader. */
static void test_flipped(void)
{
    size_t last;
    struct buf whole = three(&last);
    bool opened = true, named = true, read = true;
    struct journal_config config = {.dir = fixture_dir, .sync = SYNC_NEVER};

    for (size_t bit = 0; bit < last * 8; bit++) {
        struct journal_position start = {1, 0, 1};
        struct journal_reader *r;
        struct journal *j;
        struct record record;
        struct err err = {0};
        int result = 1;

        whole.data[bit / 8] = (char)(whole.data[bit / 8] ^ 1 << bit % 8);
        fixture_file_write(1, buf_slice(&whole));
        j = journal_open(&config, &err);
        opened = opened && j == NULL && err.code == EX_DATAERR;
        named = named && strstr(err.text, "00000000000000000001.journal: offset ") != NULL;
        r = journal_reader_open(fixture_dir, start, &err);
        for (int i = 0; i < 4 && result == 1; i++)
            result = journal_reader_next(r, &record, &err);
        /* A length that grew beyond the end looks like a record that is still being written. */
        read = read && (result == -1 || (result == 0 && bit / 8 % (last / 2) < 4));
        journal_reader_close(r);
        journal_close(j);
        whole.data[bit / 8] = (char)(whole.data[bit / 8] ^ 1 << bit % 8);
    }
    OK(opened, "a flipped bit with good records behind it is damage");
    OK(named, "told with file and offset");
    OK(read, "the reader gives no wrong record");
    buf_fini(&whole);
    fixture_clear();
}

/* Damage in a segment that is not the newest: the reader says which. */
static void test_old_damage(void)
{
    struct journal *j = fixture_open(200, SYNC_NEVER);
    struct journal_reader *r;
    struct record record;
    struct err err = {0};
    struct buf b;
    uint64_t *numbers;
    size_t count;
    int result = 1;

    for (uint64_t n = 1; n <= 20; n++)
        (void)fixture_append(j, n, -1);
    OK(journal_segments_list(fixture_dir, &numbers, &count, &err) == 0 && count > 3, "segments");
    b = fixture_file_read(numbers[1]);
    fixture_file_write(numbers[1], slice_to(buf_slice(&b), b.len - 3));
    r = fixture_reader(0);
    while (result == 1)
        result = journal_reader_next(r, &record, &err);
    OK(result == -1 && err.code == EX_DATAERR &&
           strstr(err.text, "in the middle of a record") != NULL,
       "an old segment that is torn is damage");
    IS_INT(journal_reader_next(r, &record, &err), -1, "and stays so");
    IS_INT(journal_reader_position(r).number, numbers[2] - 1, "the position is before it");
    fixture_file_write(numbers[1], buf_slice(&b));
    OK(journal_reader_next(r, &record, &err) == 1 && record.number == numbers[2] - 1,
       "mended, the reader goes on");
    journal_reader_close(r);
    fixture_file_remove(numbers[2]);
    r = fixture_reader(0);
    for (result = 1; result == 1;)
        result = journal_reader_next(r, &record, &err);
    OK(result == -1 && strstr(err.text, " are gone (the next segment begins with ") != NULL,
       "a segment that is missing is told");
    journal_reader_close(r);
    journal_close(j);
    free(numbers);
    buf_fini(&b);
    fixture_clear();
}

/* A position that is no record's begin, as after another journal was restored: the record is found
 * by its number. */
static void test_elsewhere(void)
{
    size_t last;
    struct buf whole = three(&last);
    struct journal *j = fixture_open(0, SYNC_NEVER);
    struct journal_reader *r;
    struct record record;
    struct err err = {0};
    bool read = true;

    for (size_t offset = 0; offset <= whole.len; offset++) {
        r = journal_reader_open(fixture_dir, (struct journal_position){1, offset, 3}, &err);
        /* Where nothing stands nothing has come yet. */
        read = read &&
               (offset == whole.len || (journal_reader_next(r, &record, &err) == 1 &&
                                        fixture_is_record(&record, 3) && record.number == 3)) &&
               journal_reader_next(r, &record, &err) == 0;
        journal_reader_close(r);
    }
    OK(read, "a record is found whatever offset is told");
    r = journal_reader_open(fixture_dir, (struct journal_position){1, whole.len + 5, 4}, &err);
    OK(journal_reader_next(r, &record, &err) == 0 && fixture_append(j, 44, -1) == 4 &&
           journal_reader_next(r, &record, &err) == 1 && fixture_is_record(&record, 44),
       "also beyond the end of a segment that grows");
    journal_reader_close(r);
    journal_close(j);
    buf_fini(&whole);
    fixture_clear();
}

/* The file-size limit stands in for a full disk: the write comes back short, then not at all. */
static void test_full_disk(void)
{
    struct journal *j = fixture_open(0, SYNC_NEVER);
    struct rlimit limit, small;
    struct journal_reader *r;
    struct record record = {.queue_id = SLICE("x")};
    struct err err = {0};
    size_t size;
    bool good = true;
    int slot = journal_slot_take(j);

    (void)fixture_append(j, 1, -1);
    size = fixture_file_size(1);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    for (size_t room = 0; room < 30; room++) {
        small.rlim_cur = size + room;
        (void)setrlimit(RLIMIT_FSIZE, &small);
        good = good && journal_append(j, &record, slot, &err) == -1 && fixture_file_size(1) == size;
    }
    OK(good, "a write that does not fit leaves nothing behind");
    OK(err.code == EX_IOERR && strstr(err.text, "cannot write the journal in ") != NULL,
       "and is told");
    OK(journal_check(j, &err) == -1, "the journal knows");
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    journal_tick(j, 0);
    OK(journal_check(j, &err) == 0, "until a tick lets it try again");
    OK(fixture_append(j, 2, slot) == 2, "with room it goes on, with the next number");
    journal_close(j);
    j = fixture_open(0, SYNC_NEVER);
    uint64_t numbers[8];
    IS_INT(journal_in_doubt(j, numbers, 8), 1, "only what was written is in the table");
    IS_INT(numbers[0], 2, "by its number");
    journal_in_doubt_forget(j);
    r = fixture_reader(0);
    OK(journal_reader_next(r, &record, &err) == 1 && journal_reader_next(r, &record, &err) == 1 &&
           fixture_is_record(&record, 2) && journal_reader_next(r, &record, &err) == 0,
       "and the file is whole");
    journal_reader_close(r);
    journal_close(j);
    fixture_clear();
}

static void test_min_free(void)
{
    struct journal_config config = {
        .dir = fixture_dir, .sync = SYNC_NEVER, .min_free_bytes = INT64_MAX};
    struct err err = {0};
    struct journal *j = journal_open(&config, &err);
    struct record r = {.queue_id = SLICE("x")};

    OK(j != NULL && journal_append(j, &r, -1, &err) == -1 &&
           strstr(err.text, "less than ledger.min_free (") != NULL,
       "below min_free nothing is appended");
    OK(journal_check(j, &err) == -1, "which is known before");
    config.min_free_bytes = 1;
    journal_configure(j, &config);
    journal_tick(j, 0);
    OK(journal_append(j, &r, -1, &err) == 0 && r.number == 1, "with room again it is");
    journal_close(j);
    fixture_clear();
}

int main(void)
{
    fixture_init();
    test_torn();
    test_zeros();
    test_flipped();
    test_old_damage();
    test_elsewhere();
    test_full_disk();
    test_min_free();
    fixture_fini();
    return tap_done();
}
