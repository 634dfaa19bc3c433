#ifndef TG_CORE_FORMAT_H
#define TG_CORE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/counters.h"

/* Numbers and texts for people's eyes: in tables and charts, never in CSV or JSON. */

/* 1,234,567 */
void format_count(struct buf *b, uint64_t n) TG_NONNULL(1);
/* At most five characters: 9999, 12.3k, 999k, 1.2M, 45G (thousands, not 1024). */
void format_short(struct buf *b, uint64_t n) TG_NONNULL(1);
/* Two parts, so that units stand under each other: "512  B", "1.0 KB", "999.9 MB" (1 KB = 1024 B).
 */
void format_bytes(struct buf *b, uint64_t n) TG_NONNULL(1);

/* A value of that unit: bytes as format_bytes, others as format_count or, `brief`, as format_short.
 */
void format_value(struct buf *b, enum counter_unit unit, uint64_t n, bool brief) TG_NONNULL(1);
/* The same, written from its end: into the bytes before `end`, at most FORMAT_ROOM. Returns where
 * it begins. For lines that are written from right to left. */
#define FORMAT_ROOM ((size_t)32)
char *format_value_before(char *end, enum counter_unit unit, uint64_t n, bool brief) TG_NONNULL(1);

/* How many columns of a terminal the text takes as format_text writes it: wide characters take two,
 * combining ones none. */
size_t format_width(struct slice text);
/* Its first characters, as many as fit into `width` columns. */
struct slice format_head(struct slice text, size_t width);
/* The text with every byte that is no UTF-8 and every ASCII control written as \x1b, and every
 * other control of utf8_is_control as \u202e, so that it can neither command a terminal nor turn
 * around what stands beside it. */
void format_text(struct buf *b, struct slice text) TG_NONNULL(1);
/* Adds text (format_text), and blanks to make it `width` wide: behind it, or before. */
void format_left(struct buf *b, struct slice text, size_t width) TG_NONNULL(1);
void format_right(struct buf *b, struct slice text, size_t width) TG_NONNULL(1);
/* As format_left; a longer text is cut and ends in the ellipsis, which has to fit. */
void format_fit(struct buf *b, struct slice text, size_t width, const char *ellipsis) TG_NONNULL(1);
void format_fill(struct buf *b, const char *piece, size_t times) TG_NONNULL(1);

#endif
