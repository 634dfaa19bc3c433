#ifndef TG_CORE_MILTER_MACROS_H
#define TG_CORE_MILTER_MACROS_H

#include <stdbool.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/milter_wire.h"

/*
 * The macros that an MTA has sent on one connection, as far as anybody asks for them. They live as
 * with libmilter: a packet replaces those of its stage, an event clears those of the later stages,
 * and a macro that several stages have is that of the earliest. An MTA sends the same packet before
 * each header field: that is seen by its bytes.
 *
 * Owner: init/fini; values are borrowed until the next set or clear.  Limits: MILTER_MACROS_BYTES.
 */

#define MILTER_MACROS_BYTES ((size_t)16 << 10)

enum milter_macro_id {
    MILTER_MACRO_QUEUE_ID, /* i */
    MILTER_MACRO_VERSION,  /* v */
    MILTER_MACRO_CLIENT_ADDR,
    MILTER_MACRO_AUTH_AUTHEN,
    MILTER_MACRO_MAIL_ADDR,
    MILTER_MACRO_RCPT_ADDR,
    MILTER_MACRO_RCPT_MAILER,
    MILTER_MACRO_RCPT_HOST,
    MILTER_MACRO_IDS
};

struct milter_macro_store {
    struct buf kept; /* stage, id, length (u32), value; one after the other */
    struct buf last; /* the packet that was set last; the same again changes nothing */
    int last_stage;  /* -1: none, or something was forgotten since */
    unsigned stages; /* a bit for each of which some are kept */
};

void milter_macro_store_init(struct milter_macro_store *m) TG_NONNULL(1);
void milter_macro_store_fini(struct milter_macro_store *m);
/* Forgets all, and keeps the memory. */
void milter_macro_store_reset(struct milter_macro_store *m) TG_NONNULL(1);

/* The data of a macro packet behind its command byte: names and values, each ending in a NUL.
 * MILTER_MACROS_ODD: a name without a value (with which libmilter reads past the packet's end);
 * nothing is changed. */
enum milter_macros_set { MILTER_MACROS_SET, MILTER_MACROS_ODD, MILTER_MACROS_FULL };
enum milter_macros_set milter_macro_store_set(struct milter_macro_store *m, enum milter_stage stage,
                                              struct slice data) TG_MUST_USE TG_NONNULL(1);
/* Forgets those of `from` and all later stages. */
void milter_macro_store_clear(struct milter_macro_store *m, int from) TG_NONNULL(1);
/* ptr NULL: not sent. */
struct slice milter_macro_store_get(const struct milter_macro_store *m, enum milter_macro_id id)
    TG_NONNULL(1);

#endif
