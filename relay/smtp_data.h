#ifndef TG_RELAY_SMTP_DATA_H
#define TG_RELAY_SMTP_DATA_H

#include <stdbool.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The text of a message on the wire (RFC 5321 4.5.2): dots doubled at the start of lines, ended by
 * CRLF.CRLF and by nothing else. A CR without LF, an LF without CR and a NUL are refused, so that
 * no other server can see an end where the relay sees none. Pure; the bytes may come in any
 * portions.
 */

enum smtp_data_state {
    SMTP_DATA_LINE_START,
    SMTP_DATA_TEXT,
    SMTP_DATA_CR,     /* within or behind a line */
    SMTP_DATA_DOT,    /* a dot at the start of a line */
    SMTP_DATA_DOT_CR, /* and a CR behind it */
    SMTP_DATA_END,    /* CRLF.CRLF seen */
    SMTP_DATA_BARE,   /* a bare CR or LF */
    SMTP_DATA_NUL
};

struct smtp_data {
    enum smtp_data_state state;
};

void smtp_data_init(struct smtp_data *d) TG_NONNULL(1);
/* Consumes *in until it is empty, or until the text has ended or is refused (d->state is END, BARE
 * or NUL); adds the text without doubled dots to *out, with CRLF at the end of every line. */
void smtp_data_take(struct smtp_data *d, struct slice *in, struct buf *out) TG_NONNULL(1);

/* For sending: adds the text with dots doubled. *at_start, true at first: whether the next byte is
 * the first of a line. */
void smtp_data_stuff(struct slice text, bool *at_start, struct buf *out);

#endif
