#ifndef TG_T_SYS_JOURNAL_FIXTURE_H
#define TG_T_SYS_JOURNAL_FIXTURE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sys/files.h"
#include "lib/sys/journal.h"
#include "lib/sys/journal_segment.h"
#include "lib/sys/settings.h"

/* A journal in a directory of its own, with records whose content is a number. What cannot fail in
 * a test that makes sense aborts. */

static char fixture_top[] = "/tmp/journal-t-XXXXXX";
static char fixture_dir[64];

static inline void fixture_init(void)
{
    if (mkdtemp(fixture_top) == NULL)
        abort();
    (void)snprintf(fixture_dir, sizeof fixture_dir, "%s/journal", fixture_top);
}

static inline void fixture_clear(void)
{
    DIR *d = opendir(fixture_dir);
    const struct dirent *entry;

    if (d == NULL)
        return;
    while ((entry = readdir(d)) != NULL)
        (void)unlinkat(dirfd(d), entry->d_name, 0);
    (void)closedir(d);
    (void)rmdir(fixture_dir);
}

static inline void fixture_fini(void)
{
    fixture_clear();
    (void)rmdir(fixture_top);
}

static inline struct journal *fixture_open(uint64_t segment_bytes, int sync)
{
    struct journal_config config = {
        .dir = fixture_dir, .segment_bytes = segment_bytes, .sync = sync, .sync_ms = 10};
    struct err err = {0};
    struct journal *j = journal_open(&config, &err);

    if (j == NULL) {
        (void)printf("# %s\n", err.text);
        abort();
    }
    return j;
}

static inline struct journal_reader *fixture_reader(uint64_t number)
{
    struct err err = {0};
    struct journal_reader *r =
        journal_reader_open(fixture_dir, (struct journal_position){0, 0, number}, &err);

    if (r == NULL)
        abort();
    return r;
}

/* The number that the record was given; 0: it was not appended. */
static inline uint64_t fixture_append(struct journal *j, uint64_t content, int slot)
{
    char text[32];
    struct leg leg = {.account = SLICE("example.com"), .messages = 1, .bytes = content};
    struct record r = {.bytes = content, .legs = &leg, .leg_count = 1};
    struct err err;

    (void)snprintf(text, sizeof text, "Q%llu", (unsigned long long)content);
    r.queue_id = slice_str(text);
    return journal_append(j, &r, slot, &err) == 0 ? r.number : 0;
}

/* UINT64_MAX where the record is not one of fixture_append. */
static inline uint64_t fixture_content(const struct record *r)
{
    char text[32];

    (void)snprintf(text, sizeof text, "Q%llu", (unsigned long long)r->bytes);
    return r->leg_count == 1 && r->legs[0].bytes == r->bytes &&
                   slice_equal(r->queue_id, slice_str(text))
               ? r->bytes
               : UINT64_MAX;
}

static inline bool fixture_is_record(const struct record *r, uint64_t content)
{
    return fixture_content(r) == content;
}

static inline size_t fixture_segments(void)
{
    uint64_t *numbers;
    size_t count;

    if (journal_segments_list(fixture_dir, &numbers, &count, NULL) != 0)
        abort();
    free(numbers);
    return count;
}

static inline const char *fixture_path(uint64_t number)
{
    static char path[4096];

    if (journal_segment_path(fixture_dir, number, path, NULL) != 0)
        abort();
    return path;
}

static inline size_t fixture_file_size(uint64_t number)
{
    struct stat st;

    return stat(fixture_path(number), &st) == 0 ? (size_t)st.st_size : SIZE_MAX;
}

static inline struct buf fixture_file_read(uint64_t number)
{
    struct buf b;

    buf_init(&b, (size_t)1 << 24);
    if (file_read(fixture_path(number), &b, NULL) != 0)
        abort();
    return b;
}

static inline void fixture_path_write(const char *path, struct slice bytes)
{
    FILE *out = fopen(path, "w");

    if (out == NULL || (bytes.len > 0 && fwrite(bytes.ptr, 1, bytes.len, out) != bytes.len) ||
        fclose(out) != 0)
        abort();
}

static inline void fixture_file_write(uint64_t number, struct slice bytes)
{
    fixture_path_write(fixture_path(number), bytes);
}

static inline void fixture_named_write(const char *name, struct slice bytes)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", fixture_dir, name);
    fixture_path_write(path, bytes);
}

static inline void fixture_file_remove(uint64_t number)
{
    (void)unlink(fixture_path(number));
}

static const struct journal_keep none_kept = {0, 0, 0};

#endif
