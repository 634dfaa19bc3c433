#ifndef TG_COLLECT_FOLLOW_BUFFER_H
#define TG_COLLECT_FOLLOW_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * Bytes of a log on their way to lines: what was read and not given yet, and the bytes just before,
 * by which the place is known again.
 *
 * A line longer than line_max is given cut, once its '\n' is there: the middle is taken out, so
 * that the buffer never grows. NUL bytes are no part of a log (a crash leaves them where data was
 * not written): they, and the torn line before them, are taken out and counted.
 *
 * Owner: the holder; slices live until the next call of follow_buffer_room or _begin.
 */

#define FOLLOW_BUFFER_SIZE ((size_t)256 << 10)
#define FOLLOW_TAIL_MAX    ((size_t)64)

struct follow_buffer {
    char *bytes;
    size_t start, end;  /* not given yet */
    size_t scanned;     /* there is no '\n' between start and it */
    size_t line_max;    /* bytes */
    uint64_t offset;    /* of `start` in the source */
    uint64_t taken_out; /* bytes of a long line, missing between start + line_max and end */
    uint64_t nuls;      /* bytes taken out because of NULs, not yet told */
};

void follow_buffer_fini(struct follow_buffer *b) TG_NONNULL(1);
/* -1: out of memory. */
int follow_buffer_init(struct follow_buffer *b, size_t line_max) TG_MUST_USE TG_NONNULL(1);
/* Empty, at that place; `tail` are the bytes before it, 64 at most. */
void follow_buffer_begin(struct follow_buffer *b, uint64_t offset, struct slice tail) TG_NONNULL(1);

/* Room behind the last byte, never none; then how many bytes were put there. */
char *follow_buffer_room(struct follow_buffer *b, size_t *len) TG_NONNULL(1, 2);
void follow_buffer_added(struct follow_buffer *b, size_t len) TG_NONNULL(1);

enum follow_cut {
    FOLLOW_CUT_NOTHING, /* more bytes are needed */
    FOLLOW_CUT_LINE,
    FOLLOW_CUT_NULS /* *nuls bytes were taken out */
};
enum follow_cut follow_buffer_cut(struct follow_buffer *b, struct slice *line, uint64_t *nuls)
    TG_NONNULL(1, 2, 3);
/* Leaves out the next bytes, of those that are there. */
void follow_buffer_skip(struct follow_buffer *b, size_t len) TG_NONNULL(1);
/* At the end of the source: NULs there, or the last line without its '\n'. */
enum follow_cut follow_buffer_cut_nuls(struct follow_buffer *b, uint64_t *nuls) TG_NONNULL(1, 2);
enum follow_cut follow_buffer_cut_rest(struct follow_buffer *b, struct slice *line)
    TG_NONNULL(1, 2);

bool follow_buffer_has_part(const struct follow_buffer *b) TG_NONNULL(1);
/* Where in the source the next byte to be read is. */
uint64_t follow_buffer_read_offset(const struct follow_buffer *b) TG_NONNULL(1);
/* The bytes, 64 at most, before the next line, before the next byte to be read. */
struct slice follow_buffer_tail(const struct follow_buffer *b) TG_NONNULL(1);
struct slice follow_buffer_last(const struct follow_buffer *b) TG_NONNULL(1);

#endif
