#ifndef TG_COLLECT_MAIL_TEXT_H
#define TG_COLLECT_MAIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/log_line.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The parts that Postfix's log lines are made of: queue ids, clients, lists of NAME=VALUE. They are
 * taken by name, never by place: releases add names and change their order.
 */

bool mail_text_starts(struct slice text, struct slice prefix);
/* Takes the prefix off *text; false where it does not begin with it. */
bool mail_text_take(struct slice *text, struct slice prefix) TG_NONNULL(1);
bool mail_text_has(struct slice text, struct slice what);
bool mail_text_has_nocase(struct slice text, struct slice what);
/* Where the first `what` stands, or -1. */
ptrdiff_t mail_text_find(struct slice text, struct slice what);
/* What stands behind the first `what`; an empty slice where there is none. */
struct slice mail_text_after(struct slice text, struct slice what);

/* Takes "QUEUEID: " off; *id is empty for "NOQUEUE: ". False: the text begins otherwise. */
bool mail_text_id(struct slice *text, struct slice *id) TG_NONNULL(1, 2);
/* The queue id at the front, as Postfix makes them: hexadecimal, or long ones. May be empty. */
struct slice mail_text_id_of(struct slice text);

/* The address in "name[address]" or "[address]:port" at the front; empty where there is none. */
struct slice mail_text_address(struct slice client);
/* What stands behind "name[address]" or "name[address]:port" at the front. */
struct slice mail_text_after_client(struct slice text);
bool mail_text_is_loopback(struct slice address);

/* The next NAME=VALUE of a list whose values end at a blank or at ", " (by_comma). Of a value in
 * angle brackets *value is what is between them. False at the end. */
bool mail_text_pair(struct slice *rest, bool by_comma, struct slice *name, struct slice *value)
    TG_NONNULL(1, 3, 4);

/* The parts of "to=<...>, orig_to=<...>, relay=..., delays=..., dsn=..., status=... (...)". */
struct mail_delivery {
    struct slice to, orig_to, relay, delays, dsn, status, text;
    uint64_t conn_use;
};
/* False: no such line. */
bool mail_text_delivery(struct slice text, struct mail_delivery *d) TG_NONNULL(2);

/* The daemon's own name in a tag: "error" of "postfix/error". */
struct slice mail_text_daemon(const struct log_line *line) TG_NONNULL(1);

#endif
