#ifndef TG_MILTER_MESSAGE_LOG_H
#define TG_MILTER_MESSAGE_LOG_H

#include "lib/core/contract.h"
#include "lib/core/record.h"
#include "lib/sys/log.h"

/*
 * The log line of a message that is accepted or held, at the level info:
 *
 *     message accepted qid=4jWnX03VvBz1cTBS size=1234 in=example.com:1:1234
 * forward=example.com:2:2468
 *
 * After queue id and size comes each account's part as CLASS=ACCOUNT:RECIPIENTS:BYTES, the bytes as
 * charged; beyond MESSAGE_LOG_LEGS of them, more=N says how many are left out.
 * Threads: all.
 */

#define MESSAGE_LOG_LEGS 16

/* The line's fields, and what they borrow from. */
struct message_log {
    struct log_field fields[2 + MESSAGE_LOG_LEGS + 1];
    size_t count;
    char parts[MESSAGE_LOG_LEGS][320];
};

void message_log_make(struct message_log *m, const struct record *r) TG_NONNULL(1, 2);
/* Writes it, where the level is wanted; nothing for records of other kinds. */
void message_log_write(const struct record *r) TG_NONNULL(1);

#endif
