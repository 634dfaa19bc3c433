#include "lib/sys/journal_search.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/arena.h"
#include "lib/core/strmap.h"
#include "lib/sys/journal_frames.h"
#include "lib/sys/journal_segment.h"

#define RECORD_BYTES  ((size_t)256 << 20) /* of a decoded record */
#define SETTLED_BYTES ((size_t)256 << 20)

struct journal_looking {
    const char *dir;
    const struct journal_search *search;
    uint64_t *segments;
    size_t segment_count, at; /* at: the segment that is read */
    struct journal_frames frames;
    struct arena record, held;
    struct journal_frames held_frames; /* of held_segment, the last one that was asked */
    struct journal_index *held_index;  /* NULL: it has none */
    uint64_t held_segment, held_next;  /* held_next: number of the next record of held_frames */
    struct arena settled_memory;
    struct strmap settled; /* 8 bytes of a held record's number */
};

static int fail_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for what the journal holds");
}

static int fail_damage(const struct journal_looking *r, uint64_t segment, uint64_t offset,
                       struct err *err)
{
    return err_set(err, EX_DATAERR, "%s: segment %llu: offset %llu: the journal is damaged", r->dir,
                   (unsigned long long)segment, (unsigned long long)offset);
}

static int record_of(const struct journal_frame *f, struct arena *arena, struct record *out,
                     struct err *err)
{
    arena_reset(arena);
    *out = (struct record){.number = f->number, .time_ms = f->time_ms};
    return record_decode(f->body, arena, out, err);
}

/* --- held messages --------------------------------------------------------------------------- */

/* The last segment that begins at or before the number; 0: none. */
static uint64_t segment_of(const struct journal_looking *r, uint64_t number)
{
    uint64_t found = 0;

    for (size_t i = 0; i < r->segment_count && r->segments[i] <= number; i++)
        found = r->segments[i];
    return found;
}

static void held_close(struct journal_looking *r)
{
    journal_index_free(r->held_index);
    journal_frames_close(&r->held_frames);
    r->held_index = NULL;
    r->held_segment = 0;
}

/* 1: its segment is open; 0: it is not kept. */
static int held_open(struct journal_looking *r, uint64_t segment, struct err *err)
{
    int rc = segment == 0 ? 0 : 1;

    if (segment == r->held_segment)
        return rc;
    held_close(r);
    if (rc == 1)
        rc = journal_frames_open(&r->held_frames, r->dir, segment, err);
    if (rc <= 0)
        return rc;
    r->held_index = journal_index_load(r->dir, segment, r->held_frames.bytes);
    r->held_segment = r->held_next = segment;
    return 1;
}

/* To its block, unless it is further on in the one that was read last: messages are released in
 * their order. */
static void held_seek(struct journal_looking *r, uint64_t number)
{
    struct journal_block none = {.number = r->held_segment};
    const struct journal_block *block = &none;

    for (size_t i = 0; r->held_index != NULL && i < r->held_index->count; i++) {
        if (r->held_index->blocks[i].number <= number)
            block = &r->held_index->blocks[i];
    }
    if (r->held_next >= block->number && r->held_next <= number)
        return;
    journal_frames_seek(&r->held_frames, block->offset);
    r->held_next = block->number;
}

/* 1: *out is the held record; 0: it is not kept. */
static int held_find(struct journal_looking *r, uint64_t number, struct record *out,
                     struct err *err)
{
    enum journal_frame_state state = FRAME_GOOD;
    struct journal_frame f = {.number = 0};
    int rc = held_open(r, segment_of(r, number), err);

    if (rc <= 0)
        return rc;
    held_seek(r, number);
    while (f.number < number && state == FRAME_GOOD) {
        if (journal_frames_next(&r->held_frames, &f, &state, err) < 0)
            return -1;
        r->held_next = f.number + 1;
    }
    if (state != FRAME_GOOD || f.number != number) {
        held_close(r);
        return 0;
    }
    return record_of(&f, &r->held, out, err) < 0 ? -1 : out->kind == RECORD_HELD;
}

/* Is this the first record that lets that held message go? */
static int settle(struct journal_looking *r, uint64_t held_number, bool *is_first, struct err *err)
{
    struct slice key = {(const char *)&held_number, sizeof held_number};

    *is_first = strmap_find(&r->settled, key) == NULL;
    if (!*is_first)
        return 0;
    key = arena_copy(&r->settled_memory, key);
    return key.ptr != NULL && strmap_add(&r->settled, key, NULL) != NULL ? 0 : fail_memory(err);
}

/* --- records --------------------------------------------------------------------------------- */

static int give(struct journal_looking *r, const struct record *record, bool is_first,
                struct err *err)
{
    const struct journal_search *s = r->search;
    struct journal_found found = {.record = record,
                                  .counts = record->kind == RECORD_MESSAGE ||
                                            (record->kind == RECORD_RELEASE && is_first)};
    struct record held;
    int rc = 0;

    if (record->time_ms < s->from_ms || record->time_ms >= s->to_ms)
        return 0;
    if (record->kind == RECORD_RELEASE)
        rc = held_find(r, record->held_number, &held, err);
    found.held = rc == 1 ? &held : NULL;
    return rc < 0 ? -1 : s->take(s->context, &found, err);
}

static int frame_take(struct journal_looking *r, const struct journal_frame *f, struct err *err)
{
    struct record record;
    bool is_first = false;

    if (record_of(f, &r->record, &record, err) < 0)
        return -1;
    if ((record.kind == RECORD_RELEASE || record.kind == RECORD_FORGET) &&
        settle(r, record.held_number, &is_first, err) < 0)
        return -1;
    return give(r, &record, is_first, err);
}

/* From the present place to the offset `end`; 1: the search is over. */
static int range_read(struct journal_looking *r, uint64_t end, struct err *err)
{
    bool is_newest = r->at + 1 == r->segment_count;
    enum journal_frame_state state;
    struct journal_frame f;
    int rc = 0;

    while (rc == 0 && r->frames.offset < end) {
        if (journal_frames_next(&r->frames, &f, &state, err) < 0)
            return -1;
        if (state == FRAME_GOOD)
            rc = frame_take(r, &f, err);
        else if (is_newest)
            return 0; /* what is being written, or a torn tail */
        else
            return fail_damage(r, r->segments[r->at], r->frames.offset, err);
    }
    return rc;
}

static bool block_is_wanted(const struct journal_search *s, const struct journal_block *block)
{
    if (block->has_settled)
        return true; /* what is said of a message before the range counts in it */
    if (block->last_ms < s->from_ms || block->first_ms >= s->to_ms)
        return false;
    for (size_t i = 0; i < s->key_count; i++) {
        if (!journal_block_has(block, s->keys[i]))
            return false;
    }
    return true;
}

static int blocks_read(struct journal_looking *r, const struct journal_index *index,
                       struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < index->count; i++) {
        const struct journal_block *block = &index->blocks[i];

        if (!block_is_wanted(r->search, block))
            continue;
        journal_frames_seek(&r->frames, block->offset);
        rc = range_read(r, block->offset + block->bytes, err);
    }
    return rc;
}

static int segment_read(struct journal_looking *r, struct err *err)
{
    uint64_t segment = r->segments[r->at];
    int rc = journal_frames_open(&r->frames, r->dir, segment, err);
    struct journal_index *index;

    if (rc <= 0)
        return rc;
    index = journal_index_load(r->dir, segment, r->frames.bytes);
    rc = index != NULL ? blocks_read(r, index, err) : range_read(r, r->frames.bytes, err);
    journal_index_free(index);
    journal_frames_close(&r->frames);
    return rc;
}

int journal_search_run(const char *dir, const struct journal_search *search, struct err *err)
{
    struct journal_looking r = {.dir = dir, .search = search, .held_frames.fd = -1};
    int rc = 0;

    if (journal_segments_list(dir, &r.segments, &r.segment_count, err) != 0)
        return -1;
    arena_init(&r.record, RECORD_BYTES);
    arena_init(&r.held, RECORD_BYTES);
    arena_init(&r.settled_memory, SETTLED_BYTES);
    strmap_init(&r.settled);
    for (; rc == 0 && r.at < r.segment_count; r.at++)
        rc = segment_read(&r, err);
    held_close(&r);
    strmap_fini(&r.settled);
    arena_fini(&r.settled_memory);
    arena_fini(&r.held);
    arena_fini(&r.record);
    free(r.segments);
    return rc < 0 ? -1 : 0;
}

/* --- what is kept ---------------------------------------------------------------------------- */

/* 1: the segment's first record; 0: it has none. */
static int first_find(const char *dir, uint64_t segment, struct journal_oldest *first,
                      struct err *err)
{
    enum journal_frame_state state = FRAME_SHORT;
    struct journal_frames frames;
    struct journal_frame f;
    int rc = journal_frames_open(&frames, dir, segment, err);

    if (rc <= 0)
        return rc;
    rc = journal_frames_next(&frames, &f, &state, err);
    if (rc == 0 && state == FRAME_GOOD) {
        *first = (struct journal_oldest){f.number, f.time_ms};
        rc = 1;
    }
    journal_frames_close(&frames);
    return rc;
}

int journal_search_oldest(const char *dir, struct journal_oldest *oldest, struct err *err)
{
    uint64_t *segments;
    size_t count;
    int rc = 0;

    *oldest = (struct journal_oldest){0};
    if (journal_segments_list(dir, &segments, &count, err) != 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = first_find(dir, segments[i], oldest, err);
    free(segments);
    return rc < 0 ? -1 : 0;
}
