#ifndef TG_READ_READ_REPLY_H
#define TG_READ_READ_REPLY_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/read/read.h"
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
/* The same with all fields of a key, for who wants many: Redis looks for each name that HMGET is
 * given from the beginning of a row. Fields that are asked for or not may stand there. */
struct read_all {
    bool wanted[COUNTER_COUNT];
    struct slice names[COUNTER_COUNT];
    int after[COUNTER_COUNT + 1]; /* which counter came after which in the last row */
};
void read_all_init(struct read_all *all, const struct counter_list *counters) TG_NONNULL(1, 2);
void read_ask_all(struct reader *r, struct slice key) TG_NONNULL(1);
int read_take_all(const struct reader *r, const redisReply *reply, struct slice key,
                  struct read_all *all, struct tally *sum, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 4, 5);
int read_no_memory(struct err *err) TG_MUST_USE;

#endif
