#ifndef TG_CORE_THROTTLED_H
#define TG_CORE_THROTTLED_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"

/*
 * From checks, answers and verdict to the amounts of the throttling counters. They go into the
 * message's record: of the event or the held message where it was stopped, of the message where it
 * was accepted. Pure.
 *
 * throttled_ of a message that was stopped, observed_ of one that was accepted and that a limit
 * would have stopped in enforce mode and with an action other than log: what the message wanted of
 * recipients, messages, bytes and bounces (all four, whichever metric the limit is of), for each
 * account one of whose limits (or of whose users' limits) does so, and for those of its users that
 * the message is charged to. The node counts what the whole message wanted, once, whoever's limit
 * it was; limits of the server and of clients count there alone.
 *
 * violations_ of a metric: one for each test that was crossed now, whatever came of it, for the
 * account (limits of domains and users), the user (limits of users), and the node.
 *
 * A forwarder's consumption that could not stop the message counts no observed_ amounts.
 */

/* Adds them to r's amounts. -1: the arena's cap is reached. */
int throttled_count(const struct limit_checks *d, const struct test_answer *answers,
                    const struct throttle_verdict *verdict, struct arena *arena, struct record *r,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);

/* A recipient refused at RCPT, before there is a message: one throttled recipient (METRIC_BOUNCES:
 * one bounce) of the account, the user (may be empty) and the node. */
int throttled_count_recipient(enum limit_metric metric, struct slice account, struct slice user,
                              struct arena *arena, struct record *r, struct err *err) TG_MUST_USE;

#endif
