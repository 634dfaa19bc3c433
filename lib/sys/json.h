#ifndef TG_SYS_JSON_H
#define TG_SYS_JSON_H

#include <stdio.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/report_grid.h"

struct json_t; /* of jansson */

/*
 * A grid as JSON (RFC 8259, by jansson), written row by row so that a large report is never in
 * memory twice. One object:
 *
 *   report, scope, name (of a domain or user), from, to, timezone, step, by (null where not asked
 *   for), complete, note, coverage, remarks: [texts], columns: [names], rows: [{label: ...,
 *   column: ..., coverage}], others (null, or what --top left out: {rows, column: ...}), total:
 *   {column: ...}
 *
 * Numbers are exact, quotients have three decimals, what is unknown is null; bytes that are not
 * UTF-8 become `?`.
 */
int json_write_grid(const struct report_grid *g, FILE *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* The value as jansson writes it with these flags, in the order of its making, and a line feed; the
 * value is let go. */
void json_add(struct buf *b, struct json_t *json, size_t flags) TG_NONNULL(1);
/* A JSON string of any bytes. NULL: out of memory. */
struct json_t *json_text(struct slice text);

#endif
