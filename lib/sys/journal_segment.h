#ifndef TG_SYS_JOURNAL_SEGMENT_H
#define TG_SYS_JOURNAL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Segments as files, and records as bytes in them; shared by the writer and the reader.
 *
 * File: DIR/00000000000000000001.journal, by the number of its first record. Records follow each
 * other without gaps; there is no header, the format's version is the file name's ending.
 * Record, integers big-endian:
 *
 *     u32 length    of what follows the checksum: 16 and the body's
 *     u32 crc32c    over body, length, number, time, in this order
 *     u64 number
 *     i64 time      Unix, ms
 *     body          lib/core/record
 *
 * The body comes first in the checksum, so that it can be summed before number and time are known.
 */

#define FRAME_HEAD_BYTES ((size_t)24)
#define FRAME_MAX_BYTES  ((size_t)32 << 20)

struct journal_frame {
    uint64_t number;
    int64_t time_ms;
    struct slice body;
    size_t size; /* bytes of the whole */
};

/* Room for the head; then add the body to *b, then: */
void journal_frame_begin(struct buf *b) TG_NONNULL(1);
uint32_t journal_frame_sum(const struct buf *b) TG_NONNULL(1);
/* fills in the head. */
void journal_frame_finish(struct buf *b, uint32_t sum, uint64_t number, int64_t time_ms)
    TG_NONNULL(1);

enum journal_frame_state { FRAME_GOOD, FRAME_SHORT, FRAME_BAD };
/* The record at the front of `bytes`. FRAME_SHORT: more bytes may make it whole (out->size says how
 * many it takes, where that is known, else 0). */
enum journal_frame_state journal_frame_parse(struct slice bytes, struct journal_frame *out);

/* Where in the bytes the first good record begins that may follow record `next` - 1 in a segment;
 * false: nowhere. */
bool journal_frame_seek(struct slice bytes, uint64_t next, size_t *offset) TG_MUST_USE
    TG_NONNULL(3);

/* The numbers of the segments in a directory, ascending; the caller frees *numbers. Other files are
 * ignored. */
int journal_segments_list(const char *dir, uint64_t **numbers, size_t *count,
                          struct err *err) TG_MUST_USE;
/* The file of a segment; `path` has 4,096 bytes. */
int journal_segment_path(const char *dir, uint64_t number, char *path, struct err *err) TG_MUST_USE;

/* What a whole pass over a segment finds. */
struct journal_segment_scan {
    uint64_t size;   /* bytes of good records */
    uint64_t torn;   /* bytes of a torn tail behind them */
    uint64_t next;   /* number after the last good one */
    int64_t last_ms; /* time of that; 0: there is none */
};
/* Damage (EX_DATAERR): a bad record with a good one somewhere behind it, or out of order. */
int journal_segment_scan(const char *path, uint64_t first, struct journal_segment_scan *out,
                         struct err *err) TG_MUST_USE;

#endif
