#ifndef TG_CORE_TEXT_H
#define TG_CORE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/limit.h"

/* Times, amounts and limits in texts for people. Times are those of the configured zone. */

/* 2026-11-21 13:04:05 */
void text_time(struct buf *b, int64_t unix_s) TG_NONNULL(1);
/* 2026-11-21T13:04:05+01:00 (RFC 3339), for programs */
void text_time_exact(struct buf *b, int64_t unix_s) TG_NONNULL(1);
/* Is it a time of this very day, or less than twelve hours away? 13:04. Else 2026-11-21 13:04. */
void text_clock(struct buf *b, int64_t unix_s, int64_t now_s) TG_NONNULL(1);
/* Rounded up to what matters: 45s, 12min, 3h 5min, 2d 4h. */
void text_duration(struct buf *b, int64_t seconds) TG_NONNULL(1);
/* 2,000 or 9.8 GB; LIMIT_UNLIMITED: unlimited. */
void text_amount(struct buf *b, enum limit_metric metric, uint64_t n) TG_NONNULL(1);
/* The same as short as can be: 2000, 9.8G. */
void text_compact(struct buf *b, enum limit_metric metric, uint64_t n) TG_NONNULL(1);
/* "2,000 recipients per hour" */
void text_limit(struct buf *b, const struct limit *l) TG_NONNULL(1);
/* What happens to a message over a limit of that action: "deferred", "held" ... */
const char *text_stopped(enum limit_action action);
/* A paragraph, broken between words to fit the width (0: 78), its lines behind `indent` blanks;
 * with a bullet those after the first behind two more. */
void text_wrap(struct buf *b, size_t indent, bool bullet, size_t width, struct slice text)
    TG_NONNULL(1);
/* "NAME   text": the text wrapped behind `column` columns, of which the name needs less. */
void text_entry(struct buf *b, struct slice name, size_t column, size_t width, struct slice text)
    TG_NONNULL(1);
/* A bar of that width, full from 100 percent on. */
void text_bar(struct buf *b, uint64_t percent, size_t width, bool utf8) TG_NONNULL(1);

#endif
