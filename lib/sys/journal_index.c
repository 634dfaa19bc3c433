#include "lib/sys/journal_index.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/crc32c.h"
#include "lib/core/hash.h"
#include "lib/core/record.h"
#include "lib/sys/files.h"
#include "lib/sys/journal_frames.h"

#define MAGIC            "TGJX"
#define VERSION          1
#define FILE_BYTES       ((size_t)64 << 20)
#define RECORD_BYTES     ((size_t)256 << 20) /* of a decoded record */
#define FLAG_SETTLED     1
#define KEY_BYTES        4
#define BLOCK_HEAD_BYTES 40

static int index_path(const char *dir, uint64_t segment, char *path, struct err *err)
{
    int len = snprintf(path, PATH_MAX, "%s/%020llu.index", dir, (unsigned long long)segment);

    if (len < 0 || len >= PATH_MAX)
        return err_set(err, EX_CANTCREAT, "the path of the journal is too long: shorten state_dir");
    return 0;
}

uint32_t journal_key(enum journal_key_kind kind, struct slice name)
{
    const char first = "auq"[kind];
    uint64_t sum = hash_add(hash_add(HASH_BEGIN, (struct slice){&first, 1}), name);

    return (uint32_t)(sum ^ sum >> 32);
}

/* --- building -------------------------------------------------------------------------------- */

struct build {
    struct buf file;
    struct arena arena; /* of the record at hand */
    struct journal_block block;
    uint32_t *keys; /* of the block */
    size_t key_count, key_room;
    uint32_t blocks;
};

static void add_u64(struct buf *b, uint64_t value)
{
    buf_add_u32(b, (uint32_t)(value >> 32));
    buf_add_u32(b, (uint32_t)value);
}

static int key_add(struct build *b, enum journal_key_kind kind, struct slice name)
{
    if (name.len == 0)
        return 0;
    if (b->key_count == b->key_room) {
        size_t room = b->key_room > 0 ? 2 * b->key_room : 1024;
        uint32_t *grown = reallocarray(b->keys, room, sizeof *grown);

        if (grown == NULL)
            return -1;
        b->keys = grown;
        b->key_room = room;
    }
    b->keys[b->key_count++] = journal_key(kind, name);
    return 0;
}

static int record_keys_add(struct build *b, const struct record *r)
{
    int rc = key_add(b, JOURNAL_KEY_QUEUE_ID, r->queue_id);

    for (size_t i = 0; rc == 0 && i < r->leg_count; i++) {
        rc = key_add(b, JOURNAL_KEY_ACCOUNT, r->legs[i].account);
        if (rc == 0)
            rc = key_add(b, JOURNAL_KEY_USER, r->legs[i].user);
    }
    return rc;
}

static int record_add(struct build *b, const struct journal_frame *f, struct err *err)
{
    struct journal_block *block = &b->block;
    struct record r = {0};

    arena_reset(&b->arena);
    if (record_decode(f->body, &b->arena, &r, err) != 0)
        return -1;
    if (block->bytes == 0) {
        block->number = f->number;
        block->first_ms = block->last_ms = f->time_ms;
    }
    block->bytes += f->size;
    block->first_ms = f->time_ms < block->first_ms ? f->time_ms : block->first_ms;
    block->last_ms = f->time_ms > block->last_ms ? f->time_ms : block->last_ms;
    block->has_settled |= r.kind == RECORD_RELEASE || r.kind == RECORD_FORGET;
    return record_keys_add(b, &r) == 0
               ? 0
               : err_set(err, EX_OSERR, "out of memory for an index of the journal");
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static size_t keys_settle(struct build *b)
{
    size_t kept = 0;

    if (b->key_count > 0)
        qsort(b->keys, b->key_count, sizeof *b->keys, by_value);
    for (size_t i = 0; i < b->key_count; i++) {
        if (kept == 0 || b->keys[kept - 1] != b->keys[i])
            b->keys[kept++] = b->keys[i];
    }
    return kept;
}

static void block_end(struct build *b)
{
    size_t keys = keys_settle(b);

    if (b->block.bytes == 0)
        return;
    add_u64(&b->file, b->block.offset);
    add_u64(&b->file, b->block.number);
    add_u64(&b->file, (uint64_t)b->block.first_ms);
    add_u64(&b->file, (uint64_t)b->block.last_ms);
    buf_add_u32(&b->file, b->block.has_settled ? FLAG_SETTLED : 0);
    buf_add_u32(&b->file, (uint32_t)keys);
    for (size_t i = 0; i < keys; i++)
        buf_add_u32(&b->file, b->keys[i]);
    b->block = (struct journal_block){.offset = b->block.offset + b->block.bytes};
    b->key_count = 0;
    b->blocks++;
}

static int blocks_add(struct build *b, struct journal_frames *frames, struct err *err)
{
    enum journal_frame_state state;
    struct journal_frame f;

    for (;;) {
        if (journal_frames_next(frames, &f, &state, err) < 0)
            return -1;
        if (state != FRAME_GOOD)
            break;
        if (record_add(b, &f, err) < 0)
            return -1;
        if (b->block.bytes >= JOURNAL_BLOCK_BYTES)
            block_end(b);
    }
    block_end(b);
    return frames->offset == frames->bytes
               ? 0
               : err_set(err, EX_DATAERR, "no index is made: the segment ends in a bad record");
}

static int index_write(struct build *b, const char *dir, uint64_t segment, uint64_t bytes,
                       struct err *err)
{
    char path[PATH_MAX];
    struct buf file;
    int rc = index_path(dir, segment, path, err);

    buf_init(&file, FILE_BYTES);
    buf_add_str(&file, MAGIC);
    buf_add_u32(&file, VERSION);
    add_u64(&file, segment);
    add_u64(&file, bytes);
    buf_add_u32(&file, b->blocks);
    buf_add(&file, buf_slice(&b->file));
    buf_add_u32(&file, crc32c(0, buf_slice(&file)));
    if (rc == 0 && (b->file.failed || file.failed))
        rc = err_set(err, EX_OSERR, "an index of the journal would be too large");
    if (rc == 0)
        rc = file_write(path, buf_slice(&file), 0600, err);
    buf_fini(&file);
    return rc;
}

int journal_index_build(const char *dir, uint64_t segment, struct err *err)
{
    struct journal_frames frames;
    struct build b = {.blocks = 0};
    int rc = journal_frames_open(&frames, dir, segment, err);

    if (rc <= 0)
        return rc;
    buf_init(&b.file, FILE_BYTES);
    arena_init(&b.arena, RECORD_BYTES);
    rc = blocks_add(&b, &frames, err);
    if (rc == 0)
        rc = index_write(&b, dir, segment, frames.bytes, err);
    journal_frames_close(&frames);
    arena_fini(&b.arena);
    buf_fini(&b.file);
    free(b.keys);
    return rc;
}

int journal_index_step(const char *dir, uint64_t *from, uint64_t before, struct err *err)
{
    char path[PATH_MAX];
    uint64_t *numbers;
    size_t count;
    int rc = 0;

    if (journal_segments_list(dir, &numbers, &count, err) != 0)
        return -1;
    for (size_t i = 0; rc == 0 && i + 1 < count && numbers[i + 1] <= before; i++) {
        if (numbers[i] < *from)
            continue;
        *from = numbers[i] + 1;
        rc = index_path(dir, numbers[i], path, err);
        if (rc == 0 && access(path, F_OK) != 0)
            rc = journal_index_build(dir, numbers[i], err) < 0 ? -1 : 1;
    }
    if (rc == 0)
        *from = before;
    free(numbers);
    return rc;
}

void journal_index_delete(const char *dir, uint64_t segment)
{
    char path[PATH_MAX];

    if (index_path(dir, segment, path, NULL) == 0)
        (void)unlink(path);
}

/* --- reading --------------------------------------------------------------------------------- */

static bool take_u64(struct slice *s, uint64_t *value)
{
    uint32_t high, low;

    if (!slice_take_u32(s, &high) || !slice_take_u32(s, &low))
        return false;
    *value = (uint64_t)high << 32 | low;
    return true;
}

static bool block_take(struct slice *s, struct journal_block *block)
{
    uint64_t first_ms, last_ms;
    uint32_t flags, keys;

    if (!take_u64(s, &block->offset) || !take_u64(s, &block->number) || !take_u64(s, &first_ms) ||
        !take_u64(s, &last_ms) || !slice_take_u32(s, &flags) || !slice_take_u32(s, &keys))
        return false;
    block->first_ms = (int64_t)first_ms;
    block->last_ms = (int64_t)last_ms;
    block->has_settled = (flags & FLAG_SETTLED) != 0;
    return keys <= s->len / KEY_BYTES && slice_take(s, (size_t)keys * KEY_BYTES, &block->keys);
}

/* Each block ends where the next one begins, the last one with the segment. */
static bool blocks_join(struct journal_index *index, uint64_t bytes)
{
    for (size_t i = 0; i < index->count; i++) {
        struct journal_block *block = &index->blocks[i];
        uint64_t end = i + 1 < index->count ? index->blocks[i + 1].offset : bytes;

        if (end <= block->offset || (i == 0 && block->offset != 0))
            return false;
        block->bytes = end - block->offset;
    }
    return index->count > 0 || bytes == 0;
}

static bool head_take(struct slice *s, uint64_t segment, uint64_t bytes, uint32_t *count)
{
    uint64_t of_segment, of_bytes;
    struct slice magic;
    uint32_t version;

    return slice_take(s, sizeof MAGIC - 1, &magic) && slice_equal(magic, SLICE(MAGIC)) &&
           slice_take_u32(s, &version) && version == VERSION && take_u64(s, &of_segment) &&
           of_segment == segment && take_u64(s, &of_bytes) && of_bytes == bytes &&
           slice_take_u32(s, count) && *count <= s->len / BLOCK_HEAD_BYTES;
}

static bool sum_is_right(struct slice *s)
{
    struct slice tail;
    uint32_t sum;

    if (s->len < KEY_BYTES)
        return false;
    tail = slice_from(*s, s->len - KEY_BYTES);
    *s = slice_to(*s, s->len - KEY_BYTES);
    return slice_take_u32(&tail, &sum) && sum == crc32c(0, *s);
}

static bool index_fill(struct journal_index *index, struct slice file, uint64_t segment,
                       uint64_t bytes)
{
    uint32_t count;
    struct slice s = file;

    if (!sum_is_right(&s) || !head_take(&s, segment, bytes, &count))
        return false;
    index->blocks = calloc((size_t)count + 1, sizeof *index->blocks);
    if (index->blocks == NULL)
        return false;
    for (; index->count < count; index->count++) {
        if (!block_take(&s, &index->blocks[index->count]))
            return false;
    }
    return s.len == 0 && blocks_join(index, bytes);
}

struct journal_index *journal_index_parse(struct slice file, uint64_t segment, uint64_t bytes)
{
    struct journal_index *index = calloc(1, sizeof *index);

    if (index == NULL)
        return NULL;
    buf_init(&index->bytes, FILE_BYTES);
    buf_add(&index->bytes, file);
    if (!index->bytes.failed && index_fill(index, buf_slice(&index->bytes), segment, bytes))
        return index;
    journal_index_free(index);
    return NULL;
}

struct journal_index *journal_index_load(const char *dir, uint64_t segment, uint64_t bytes)
{
    struct journal_index *index = NULL;
    char path[PATH_MAX];
    struct buf file;

    buf_init(&file, FILE_BYTES);
    if (index_path(dir, segment, path, NULL) == 0 && file_read(path, &file, NULL) == 0)
        index = journal_index_parse(buf_slice(&file), segment, bytes);
    buf_fini(&file);
    return index;
}

void journal_index_free(struct journal_index *index)
{
    if (index == NULL)
        return;
    free(index->blocks);
    buf_fini(&index->bytes);
    free(index);
}

static uint32_t key_at(const struct journal_block *block, size_t i)
{
    struct slice s = slice_from(block->keys, i * KEY_BYTES);
    uint32_t key = 0;

    (void)slice_take_u32(&s, &key);
    return key;
}

bool journal_block_has(const struct journal_block *block, uint32_t key)
{
    size_t low = 0, high = block->keys.len / KEY_BYTES;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (key_at(block, middle) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < block->keys.len / KEY_BYTES && key_at(block, low) == key;
}
