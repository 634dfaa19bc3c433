#ifndef TG_REDIS_FLAT_READER_H
#define TG_REDIS_FLAT_READER_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Replies that are a text or an array of texts, as hiredis' reader finds them, but put one after
 * the other into one piece of memory: for who takes hundreds of thousands of rows, and to whom an
 * object for each field would cost more than all the rest. What is no such reply (numbers, arrays
 * in arrays) is a fault.
 *
 * Owner: the reader's memory; a reply is good until the next call. A reader does not move.
 * Threads: one.
 * Errors: EX_UNAVAILABLE for bytes that are no such replies, EX_OSERR out of memory; after an error
 * the reader is of no more use.
 * Limits: FLAT_MAX_BYTES a reply, LINK_ARRAY_MAX elements.
 */

#define FLAT_MAX_BYTES ((size_t)64 << 20)

enum flat_kind { FLAT_TEXT, FLAT_ERROR, FLAT_NIL, FLAT_ARRAY };

struct flat_reply {
    enum flat_kind kind;
    const struct slice *items; /* an array's elements, ptr NULL where nil; else the one text */
    size_t count;
};

struct flat_reader {
    redisReader *reader;
    const char *fault; /* why it was told to stop */
    /* The reply, as far as it is there. */
    enum flat_kind kind;
    struct buf text;
    size_t want;         /* items */
    size_t count;        /* of them there */
    struct slice *items; /* until all are there, ptr is not set; but see begin */
    size_t *begin;       /* in text; FLAT_NO_TEXT: nil */
    size_t items_room;
};

int flat_reader_init(struct flat_reader *r, struct err *err) TG_MUST_USE TG_NONNULL(1);
void flat_reader_fini(struct flat_reader *r);

/* Bytes that came; then flat_reader_next takes what is whole. -1: the reply is too long, or out of
 * memory. */
int flat_reader_feed(struct flat_reader *r, struct slice bytes, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The next whole reply: 1; 0: more bytes are needed; -1: *err. */
int flat_reader_next(struct flat_reader *r, struct flat_reply *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* Are there bytes that no reply has taken? */
bool flat_reader_has_more(const struct flat_reader *r) TG_NONNULL(1);

/* The same view of a reply that hiredis has made; it is good as long as that and the reader's next
 * call. */
int flat_reader_view(struct flat_reader *r, const redisReply *reply, struct flat_reply *out,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
