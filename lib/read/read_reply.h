#ifndef TG_READ_READ_REPLY_H
#define TG_READ_READ_REPLY_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/read/read.h"
#include "lib/redis/flat_reader.h"
#include "lib/redis/link.h"

/* What the readers share: batches of commands, and replies that must be of a type. */

#define READ_BATCH ((size_t)512)

/* -1 where the reply is an error or of another type; *err names the key. */
int read_expect(const struct reader *r, const redisReply *reply, int type, struct slice key,
                struct err *err) TG_MUST_USE TG_NONNULL(1);
/* A counter's value. -1: no number. */
int read_number(const struct reader *r, const redisReply *reply, struct slice key,
                struct slice field, uint64_t *value, struct err *err) TG_MUST_USE TG_NONNULL(1);
int64_t read_timeout_ms(const struct reader *r) TG_NONNULL(1); /* of one trip */
/* Runs the pipeline; on failure the replies are not there. */
int read_trip(struct reader *r, redisReply **replies, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* So much of the present part has been read. */
void read_tell(struct reader *r, size_t done, size_t all) TG_NONNULL(1);
void read_free(redisReply **replies, size_t count);
/* Asks a key for these counters, and adds what it answers to *sum. */
void read_ask_counters(struct reader *r, struct slice key, const struct counter_list *counters)
    TG_NONNULL(1, 3);
int read_take_counters(const struct reader *r, const redisReply *reply, struct slice key,
                       const struct counter_list *counters, struct tally *sum,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4, 5);

/* Rows of counters out of flat replies. HMGET asks for a few fields; for who wants many HGETALL
 * asks for all, since Redis looks for each name that HMGET is given from the beginning of a row:
 * fields that nobody wants, and that are no counters, may then stand there. */
struct read_fields {
    const struct counter_list *counters;
    bool is_all;
    bool wanted[COUNTER_COUNT];
    struct counter_index index;
    struct store_keyed command;
};
/* The counters are borrowed. */
void read_fields_init(struct read_fields *f, const struct counter_list *counters) TG_NONNULL(1, 2);
void read_fields_fini(struct read_fields *f);
/* Adds what the reply has to *sum. -1: an error names the key. */
int read_fields_take(const struct read_fields *f, const struct reader *r,
                     const struct flat_reply *reply, struct slice key, struct tally *sum,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 5);
int read_no_memory(struct err *err) TG_MUST_USE;

#endif
