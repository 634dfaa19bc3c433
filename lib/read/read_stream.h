#ifndef TG_READ_READ_STREAM_H
#define TG_READ_READ_STREAM_H

#include "lib/core/contract.h"
#include "lib/read/read.h"
#include "lib/redis/link.h"

/* What the readers of streams share: ids, and pages of entries. */

#define READ_STREAM_PAGE 1000

/* An entry's place in its stream; ids grow. */
struct stream_id {
    uint64_t ms, sequence;
};

#define READ_STREAM_ID_TEXT 48
void read_stream_id_text(struct stream_id id, char text[READ_STREAM_ID_TEXT]);
struct stream_id read_stream_id_after(struct stream_id id);
struct stream_id read_stream_id_before(struct stream_id id);

/* An entry's id and its fields: an array of names and values. False: it is none, or was deleted
 * meanwhile. *id is set if there is one. */
bool read_stream_entry(const redisReply *reply, struct stream_id *id, const redisReply **fields)
    TG_NONNULL(1, 2, 3);

/* XRANGE or XREVRANGE: an array of entries, the caller's to free. */
int read_stream_page(struct reader *r, const char *command, struct slice key, struct slice from,
                     struct slice to, size_t count, redisReply **page, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 7);

#endif
