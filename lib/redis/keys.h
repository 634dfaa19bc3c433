#ifndef TG_REDIS_KEYS_H
#define TG_REDIS_KEYS_H

#include "lib/core/buf.h"
#include "lib/core/period.h"
#include "lib/core/slice.h"

/* The names of all Redis keys, schema 1; nothing else writes one. Each adds its key to *b (not
 * reset first). */

#define SCHEMA "1"

void key_schema(struct buf *b, const char *prefix);
/* tg:{account}:total, :month:2026-11, :day:2026-11-21, :hour:2026-11-21T13; `period` is the
 * period's name. */
void key_counters(struct buf *b, const char *prefix, struct slice account, enum period_kind kind,
                  struct slice period);
/* tg:{account}:users:month:2026-11 */
void key_users(struct buf *b, const char *prefix, struct slice account, enum period_kind kind,
               struct slice period);
/* tg:accounts:{0a}: the shard (first hex digit of the account's SHA-256) that lists the account. */
void key_accounts(struct buf *b, const char *prefix, struct slice account);
void key_accounts_shard(struct buf *b, const char *prefix, unsigned shard); /* 0..15 */
void key_nodes(struct buf *b, const char *prefix);
void key_node(struct buf *b, const char *prefix, const char *node); /* tg:{@mx1}:node */
/* What a holder (a domain, "@server", "@client") was given at run time: tg:{example.com}:plan,
 * tg:{example.com}:limits. */
void key_plan(struct buf *b, const char *prefix, struct slice holder);
void key_limits(struct buf *b, const char *prefix, struct slice holder);
/* What a window has consumed: tg:{example.com}:window:recipients:hour, for a user with
 * `:alice@example.com` behind it. */
void key_window(struct buf *b, const char *prefix, struct slice holder, const char *metric,
                struct slice per, struct slice subject);
/* The streams tg:{example.com}:violations and tg:violations. */
void key_account_violations(struct buf *b, const char *prefix, struct slice holder);
void key_violations(struct buf *b, const char *prefix);
/* tg:{example.com}:held */
void key_held(struct buf *b, const char *prefix, struct slice account);
void key_popauth(struct buf *b, const char *prefix, struct slice ip);

#endif
