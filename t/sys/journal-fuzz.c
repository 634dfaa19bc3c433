/* The bytes of a segment: whatever they are, opening, scanning and reading must agree. */
#include <stdbool.h>

#include "t/sys/journal_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_ready;

static void clean_up(void)
{
    fixture_fini();
}

static void prepare(void)
{
    is_ready = true;
    fixture_init();
    if (mkdir(fixture_dir, 0700) != 0)
        abort();
    (void)atexit(clean_up);
}

/* Removed first: ext4 waits for the disk where a file is written over. */
static void write_segment(const uint8_t *data, size_t size)
{
    fixture_file_remove(1);
    fixture_file_write(1, (struct slice){(const char *)data, size});
}

/* How many records there are to read; *damaged: until something is wrong. */
static uint64_t read_all(bool *damaged)
{
    struct journal_reader *r = fixture_reader(0);
    struct record record;
    uint64_t count = 0;
    struct err err;
    int result;

    while ((result = journal_reader_next(r, &record, &err)) == 1) {
        count++;
        TG_ASSERT(record.number == count);
    }
    TG_ASSERT(journal_reader_position(r).number == count + 1);
    *damaged = result < 0;
    journal_reader_close(r);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_segment_scan scan;
    bool damaged;
    uint64_t count;
    struct err err;

    if (!is_ready)
        prepare();
    write_segment(data, size);
    count = read_all(&damaged);
    if (journal_segment_scan(fixture_path(1), 1, &scan, &err) != 0)
        return 0;
    TG_ASSERT(scan.size + scan.torn == size);
    /* What the scan takes for good, the reader gives, unless a body says nothing. */
    TG_ASSERT(count + 1 == scan.next || (damaged && count + 1 < scan.next));
    write_segment(data, (size_t)scan.size);
    TG_ASSERT(read_all(&damaged) == count);
    TG_ASSERT(!damaged || count + 1 < scan.next);
    return 0;
}
