#ifndef TG_CORE_BUF_H
#define TG_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * A builder of bytes with a sticky failure: add as much as you like, look at `failed` once.
 *
 * Owner: the holder; buf_fini frees.  Limits: cap_bytes; beyond it (or out of memory) nothing more
 * is added and `failed` is set.  There is always a NUL behind the bytes, not counted in len.
 */

/* Takes bytes that were built; false: it failed. */
typedef bool buf_sink(void *context, struct slice bytes);

struct buf {
    char *data;
    size_t len, room, cap_bytes;
    bool failed;
    buf_sink *sink; /* NULL: all bytes stay; may be set after buf_init */
    void *sink_context;
};

void buf_init(struct buf *b, size_t cap_bytes) TG_NONNULL(1);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b) TG_NONNULL(1); /* empty again, failure forgotten, memory kept */

void buf_add(struct buf *b, struct slice s) TG_NONNULL(1);
void buf_add_char(struct buf *b, char c) TG_NONNULL(1);
void buf_add_str(struct buf *b, const char *text) TG_NONNULL(1);
void buf_addf(struct buf *b, const char *format, ...) TG_PRINTF(2, 3) TG_NONNULL(1);
/* In decimal; for places where reading a format would cost more than all the rest. */
void buf_add_number(struct buf *b, uint64_t value) TG_NONNULL(1);
/* Unsigned LEB128: seven bits a byte, least first. */
void buf_add_varint(struct buf *b, uint64_t value) TG_NONNULL(1);
/* Big-endian, as the milter protocol and the journal have it. */
void buf_add_u32(struct buf *b, uint32_t value) TG_NONNULL(1);
/* Its length as u32, then the text: slice_take_text reads it. */
void buf_add_text(struct buf *b, struct slice text) TG_NONNULL(1);
/* Room for `len` more bytes, for the caller to fill and then add to b->len; NULL on failure. */
char *buf_space(struct buf *b, size_t len) TG_NONNULL(1);
struct slice buf_slice(const struct buf *b) TG_NONNULL(1);
/* Between the lines of a long text: where there is a sink and BUF_DRAIN_BYTES or more, they go
 * there, and the builder is empty again. What is left at the end is the caller's to take. */
#define BUF_DRAIN_BYTES ((size_t)64 << 10)
void buf_drain(struct buf *b) TG_NONNULL(1);

#endif
