#ifndef TG_RELAY_MESSAGE_H
#define TG_RELAY_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"
#include "relay/spool.h"

/*
 * A message that is being received: its header fields one by one, its body in a spool, and the
 * changes that milters make to both. The header ends, as in Postfix, at the first empty line or
 * before the first line that is not a header line. Return-Path, Bcc, Resent-Bcc and Content-Length
 * are removed, as by Postfix.
 *
 * Limits: a header field of MESSAGE_FIELD_BYTES (the milter protocol has no room for more), a
 * header of MESSAGE_HEADER_BYTES. Errors: sticky, in `fault`: a whole SMTP reply.
 */

#define MESSAGE_FIELD_BYTES  ((size_t)65000)
#define MESSAGE_HEADER_BYTES ((size_t)8 << 20)
#define MESSAGE_HOPS_MAX     50

struct message_field {
    struct slice name;
    struct slice value; /* between the colon and the last CRLF; folds as CRLF */
};

struct message {
    struct arena arena;
    struct message_field *fields;
    size_t field_count, field_room;
    struct spool body;
    struct buf line, field; /* unfinished ones */
    bool in_body, body_replaced;
    unsigned hops; /* Received fields */
    const char *fault;
};

void message_init(struct message *m, const char *spool_dir) TG_NONNULL(1);
void message_fini(struct message *m);
void message_reset(struct message *m) TG_NONNULL(1);

/* The text, without doubled dots, in any portions; then the end. */
void message_add(struct message *m, struct slice portion) TG_NONNULL(1);
void message_end(struct message *m) TG_NONNULL(1);

/* Changes. An LF in a value is a fold; `index` is that of the milter protocol: from 0 for insert,
 * from 1 among fields of that name for change, where an empty value deletes the field. */
void message_add_field(struct message *m, struct slice name, struct slice value) TG_NONNULL(1);
void message_insert_field(struct message *m, uint32_t index, struct slice name, struct slice value)
    TG_NONNULL(1);
void message_change_field(struct message *m, uint32_t index, struct slice name, struct slice value)
    TG_NONNULL(1);
/* The first portion replaces the body, the following ones add to it. */
void message_replace_body(struct message *m, struct slice portion) TG_NONNULL(1);

/* Adds the header with its empty line to *out. */
void message_add_header(const struct message *m, struct buf *out) TG_NONNULL(1);

#endif
