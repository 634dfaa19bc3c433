#ifndef TG_REDIS_KEYS_H
#define TG_REDIS_KEYS_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/period.h"
#include "lib/core/slice.h"

/* The names of all Redis keys, schema 1; nothing else writes one. Each adds its key to *b (not
 * reset first). */

#define SCHEMA "1"

void key_schema(struct buf *b, const char *prefix) TG_NONNULL(1);
void key_timezone(struct buf *b, const char *prefix) TG_NONNULL(1);
/* tg:{account}:total, :month:2026-11, :day:2026-11-21, :hour:2026-11-21T13; `period` is the
 * period's name. */
void key_counters(struct buf *b, const char *prefix, struct slice account, enum period_kind kind,
                  struct slice period) TG_NONNULL(1);
/* tg:{account}:users:month:2026-11 */
void key_users(struct buf *b, const char *prefix, struct slice account, enum period_kind kind,
               struct slice period) TG_NONNULL(1);
/* tg:accounts:{0a}: the shard (first hex digit of the account's SHA-256) that lists the account. */
void key_accounts(struct buf *b, const char *prefix, struct slice account) TG_NONNULL(1);
void key_accounts_shard(struct buf *b, const char *prefix, unsigned shard)
    TG_NONNULL(1); /* 0..15 */
void key_nodes(struct buf *b, const char *prefix) TG_NONNULL(1);
void key_node(struct buf *b, const char *prefix, const char *node)
    TG_NONNULL(1); /* tg:{@mx1}:node */
/* Of a node's collector: its state, tg:{@mx1}:collect, and the holes in its logs, tg:{@mx1}:gaps */
void key_collect(struct buf *b, const char *prefix, struct slice node) TG_NONNULL(1);
void key_gaps(struct buf *b, const char *prefix, struct slice node) TG_NONNULL(1);
void key_holder_node(struct buf *b, const char *prefix, struct slice holder)
    TG_NONNULL(1); /* the same for the holder "@mx1" */
/* Plan and overrides set at run time for a holder (a domain, "@server", "@client"):
 * tg:{example.com}:plan, tg:{example.com}:limits. */
void key_plan(struct buf *b, const char *prefix, struct slice holder) TG_NONNULL(1);
/* Adjustments of its account, tg:{example.com}:adjust. */
void key_adjust(struct buf *b, const char *prefix, struct slice holder) TG_NONNULL(1);
void key_limits(struct buf *b, const char *prefix, struct slice holder) TG_NONNULL(1);
/* The closed periods and their files, tg:periods. */
void key_periods(struct buf *b, const char *prefix) TG_NONNULL(1);
/* The versions of both, tg:{example.com}:changed; of all holders the newest, tg:changed; and a
 * node's mark that it has a copy of all, tg:{@mx1}:changes. */
void key_holder_changed(struct buf *b, const char *prefix, struct slice holder) TG_NONNULL(1);
void key_changed(struct buf *b, const char *prefix) TG_NONNULL(1);
void key_node_changes(struct buf *b, const char *prefix, struct slice node) TG_NONNULL(1);
/* What a window has consumed: tg:{example.com}:window:recipients:hour, for a user with
 * `:alice@example.com` behind it. */
void key_window(struct buf *b, const char *prefix, struct slice holder, const char *metric,
                struct slice per, struct slice subject) TG_NONNULL(1);
/* Of such a window of a month: which part of its limit the admin was told of,
 * tg:{example.com}:window:bytes:month:told:2026-11; and tg:telling, while a node looks. */
void key_window_told(struct buf *b, const char *prefix, struct slice holder, const char *metric,
                     const char *month) TG_NONNULL(1);
void key_telling(struct buf *b, const char *prefix) TG_NONNULL(1);
/* The streams tg:{example.com}:violations and tg:violations. */
void key_account_violations(struct buf *b, const char *prefix, struct slice holder) TG_NONNULL(1);
void key_violations(struct buf *b, const char *prefix) TG_NONNULL(1);
/* While a node restores that stream, in its slot: tg:restored:{tg:violations}:mx1 */
void key_violations_restored(struct buf *b, const char *prefix, struct slice node) TG_NONNULL(1);
/* tg:{example.com}:held */
void key_held(struct buf *b, const char *prefix, struct slice account) TG_NONNULL(1);
/* Requests to release messages that this node holds: tg:{@mx1}:release */
void key_node_release(struct buf *b, const char *prefix, struct slice node) TG_NONNULL(1);
/* The streams of the collectors: tg:refusals, tg:anomalies */
void key_refusals(struct buf *b, const char *prefix) TG_NONNULL(1);
void key_anomalies(struct buf *b, const char *prefix) TG_NONNULL(1);
/* Of such a stream, in its slot: how far each ledger has written it,
 * tg:written:{tg:refusals} */
void key_written(struct buf *b, const char *prefix, struct slice stream) TG_NONNULL(1);
void key_popauth(struct buf *b, const char *prefix, struct slice ip) TG_NONNULL(1);
/* Of tollgate-web: a session by the SHA-256 of its cookie, tg:web:session:{9f86...}, and the
 * sessions of a name, tg:web:sessions:{anna}. */
void key_web_session(struct buf *b, const char *prefix, struct slice digest) TG_NONNULL(1);
void key_web_sessions(struct buf *b, const char *prefix, struct slice name) TG_NONNULL(1);
/* A link of a control panel that has been used: tg:web:link:{SIGNATURE} */
void key_web_link(struct buf *b, const char *prefix, struct slice signature) TG_NONNULL(1);

#endif
