#include "lib/sys/journal_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/crc32c.h"

#define SUFFIX       ".journal"
#define NAME_DIGITS  20
#define SUMMED_BYTES 20 /* length, number, time */

static void put(unsigned char *p, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const char *p, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

void journal_frame_begin(struct buf *b)
{
    static const char room[FRAME_HEAD_BYTES];

    buf_reset(b);
    buf_add(b, (struct slice){room, sizeof room});
}

uint32_t journal_frame_sum(const struct buf *b)
{
    return crc32c(0, slice_from(buf_slice(b), FRAME_HEAD_BYTES));
}

/* The checksum of the whole, from that of the body. */
static uint32_t sum_head(uint32_t body_sum, const char *head)
{
    char summed[SUMMED_BYTES];

    memcpy(summed, head, 4);
    memcpy(summed + 4, head + 8, SUMMED_BYTES - 4);
    return crc32c(body_sum, (struct slice){summed, sizeof summed});
}

void journal_frame_finish(struct buf *b, uint32_t sum, uint64_t number, int64_t time_ms)
{
    unsigned char *p = (unsigned char *)b->data;

    put(p, b->len - 8, 4);
    put(p + 8, number, 8);
    put(p + 16, (uint64_t)time_ms, 8);
    put(p + 4, sum_head(sum, b->data), 4);
}

enum journal_frame_state journal_frame_parse(struct slice bytes, struct journal_frame *out)
{
    uint64_t length;

    *out = (struct journal_frame){0};
    if (bytes.len < 4)
        return FRAME_SHORT;
    length = get(bytes.ptr, 4);
    if (length < FRAME_HEAD_BYTES - 8 || length > FRAME_MAX_BYTES - 8)
        return FRAME_BAD;
    out->size = (size_t)length + 8;
    if (bytes.len < out->size)
        return FRAME_SHORT;
    out->number = get(bytes.ptr + 8, 8);
    out->time_ms = (int64_t)get(bytes.ptr + 16, 8);
    out->body = slice_from(slice_to(bytes, out->size), FRAME_HEAD_BYTES);
    if (sum_head(crc32c(0, out->body), bytes.ptr) != get(bytes.ptr + 4, 4))
        return FRAME_BAD;
    return FRAME_GOOD;
}

int journal_segment_path(const char *dir, uint64_t number, char *path, struct err *err)
{
    int len =
        snprintf(path, PATH_MAX, "%s/%0*llu" SUFFIX, dir, NAME_DIGITS, (unsigned long long)number);

    if (len < 0 || len >= PATH_MAX)
        return err_set(err, EX_CANTCREAT, "the path of the journal is too long: shorten state_dir");
    return 0;
}

static bool segment_number(const char *name, uint64_t *number)
{
    return strlen(name) == NAME_DIGITS + sizeof SUFFIX - 1 &&
           strcmp(name + NAME_DIGITS, SUFFIX) == 0 &&
           slice_number((struct slice){name, NAME_DIGITS}, number);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int number_add(uint64_t **numbers, size_t *count, uint64_t number)
{
    uint64_t *grown = *numbers;

    if ((*count & (*count - 1)) == 0) {
        grown = realloc(grown, (*count == 0 ? 1 : *count * 2) * sizeof *grown);
        if (grown == NULL)
            return -1;
    }
    grown[(*count)++] = number;
    *numbers = grown;
    return 0;
}

int journal_segments_list(const char *dir, uint64_t **numbers, size_t *count, struct err *err)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    uint64_t number;
    int result = 0;

    *numbers = NULL;
    *count = 0;
    if (d == NULL)
        return err_set(err, EX_IOERR, "cannot read the directory %s: %s", dir, strerror(errno));
    while (result == 0 && (entry = readdir(d)) != NULL) {
        if (segment_number(entry->d_name, &number))
            result = number_add(numbers, count, number);
    }
    (void)closedir(d);
    if (result != 0) {
        free(*numbers);
        *numbers = NULL;
        return err_set(err, EX_OSERR, "cannot read the directory %s: out of memory", dir);
    }
    if (*count > 0)
        qsort(*numbers, *count, sizeof **numbers, compare);
    return 0;
}

/* A plausible head is looked for at each byte before the checksum is taken. */
bool journal_frame_seek(struct slice bytes, uint64_t next, size_t *offset)
{
    uint64_t most = next + bytes.len / FRAME_HEAD_BYTES;
    struct journal_frame f;

    for (size_t i = 0; i + FRAME_HEAD_BYTES <= bytes.len; i++) {
        uint64_t length = get(bytes.ptr + i, 4), number = get(bytes.ptr + i + 8, 8);

        if (number >= next && number <= most && length <= bytes.len - i - 8 &&
            journal_frame_parse(slice_from(bytes, i), &f) == FRAME_GOOD) {
            *offset = i;
            return true;
        }
    }
    return false;
}

static int scan_bytes(const char *path, struct slice bytes, uint64_t first,
                      struct journal_segment_scan *out, struct err *err)
{
    enum journal_frame_state state = FRAME_SHORT;
    struct journal_frame f;
    size_t good;

    *out = (struct journal_segment_scan){.next = first};
    while (out->size < bytes.len) {
        state = journal_frame_parse(slice_from(bytes, out->size), &f);
        if (state != FRAME_GOOD)
            break;
        if (f.number != out->next)
            return err_set(err, EX_DATAERR,
                           "%s: offset %llu: the journal is damaged: record %llu where %llu is due",
                           path, (unsigned long long)out->size, (unsigned long long)f.number,
                           (unsigned long long)out->next);
        out->size += f.size;
        out->next++;
        out->last_ms = f.time_ms;
    }
    out->torn = bytes.len - out->size;
    if (out->torn > 0 && journal_frame_seek(slice_from(bytes, out->size + 1), out->next + 1, &good))
        return err_set(
            err, EX_DATAERR,
            "%s: offset %llu: the journal is damaged: record %llu is bad, with good ones "
            "behind it",
            path, (unsigned long long)out->size, (unsigned long long)out->next);
    return 0;
}

int journal_segment_scan(const char *path, uint64_t first, struct journal_segment_scan *out,
                         struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), result = 0;
    struct stat st;
    void *bytes;

    *out = (struct journal_segment_scan){.next = first};
    if (fd < 0 || fstat(fd, &st) != 0)
        result = err_set(err, EX_IOERR, "cannot read %s: %s", path, strerror(errno));
    if (result == 0 && st.st_size > 0) {
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) {
            result = err_set(err, EX_IOERR, "cannot read %s: %s", path, strerror(errno));
        } else {
            result = scan_bytes(path, (struct slice){bytes, (size_t)st.st_size}, first, out, err);
            (void)munmap(bytes, (size_t)st.st_size);
        }
    }
    if (fd >= 0)
        (void)close(fd);
    return result;
}
