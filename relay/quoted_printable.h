#ifndef TG_RELAY_QUOTED_PRINTABLE_H
#define TG_RELAY_QUOTED_PRINTABLE_H

#include <stdbool.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The quoted-printable encoding of MIME (RFC 2045 6.7), for text whose lines end in CRLF. Pure.
 */

/* Whether the text cannot stand in a 7-bit part as it is: bytes beyond ASCII, control bytes, or a
 * line of more than 998 bytes. */
bool quoted_printable_is_needed(struct slice text);
/* Adds the text, encoded, in lines of at most 76 characters. */
void quoted_printable_add(struct buf *out, struct slice text) TG_NONNULL(1);

#endif
