#ifndef TG_CORE_RENDER_CARD_H
#define TG_CORE_RENDER_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * A domain's month as a small picture (SVG, 360 by 156), for the pages of others: what it has
 * received, sent and forwarded, day by day, and how full its fullest limit is. It needs no style
 * sheet and no font, refers to nothing, and stands on white paper, so that it looks alike as an
 * <img> in any page or message.
 *
 * Pure. Bytes.
 */

struct render_card {
    struct slice domain, month; /* "example.com", "2026-11" */
    bool complete;              /* else it is said to be so far */
    uint64_t in_bytes, out_bytes, forward_bytes;
    const uint64_t *days; /* bytes of each day so far; REPORT_UNKNOWN */
    size_t day_count;
    struct slice limit; /* what it is, and how full; empty: there is none */
    uint64_t percent;   /* of that limit */
    bool limits_unknown;
};

void render_card(const struct render_card *c, struct buf *out) TG_NONNULL(1, 2);

#endif
