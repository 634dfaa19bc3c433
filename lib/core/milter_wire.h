#ifndef TG_CORE_MILTER_WIRE_H
#define TG_CORE_MILTER_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/slice.h"

/*
 * The milter protocol on the wire, version 6 (libmilter/mfdef.h): packets of a big-endian length, a command byte and data.
 * Pure: makes packets into a buffer, takes them out of one.
 */

enum wire_take { WIRE_MORE, WIRE_PACKET, WIRE_BAD };

struct wire_packet {
    char command;
    struct slice data;
};

/* Takes one packet off the front of *in, of at most max_bytes of data. WIRE_BAD: longer than that, or of length 0. */
enum wire_take wire_take(struct slice *in, size_t max_bytes, struct wire_packet *out);
/* A packet of the parts given, one after the other. */
void wire_add(struct buf *b, char command, size_t parts, const struct slice *part);
/* One NUL-ended string off the front of *data; false where there is none. */
bool wire_take_string(struct slice *data, struct slice *text);

#endif
