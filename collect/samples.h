#ifndef TG_COLLECT_SAMPLES_H
#define TG_COLLECT_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "collect/log_line.h"
#include "lib/core/contract.h"

/*
 * What lines of unknown shapes are like, to be shown to strangers: of each text the words of the
 * program are left; what names somebody or something (words with a digit, a dot or an @, all
 * between < and >) is a star.
 *
 * Owner: the holder; all zeros is empty.  Limits: SAMPLES_MAX texts, the first ones; SAMPLES_BYTES
 * of each.
 */

#define SAMPLES_MAX   64
#define SAMPLES_BYTES 120

struct samples {
    struct samples_text {
        uint64_t lines;
        char text[SAMPLES_BYTES];
    } list[SAMPLES_MAX];
    size_t count;
};

void samples_add(struct samples *s, const struct log_line *line) TG_NONNULL(1, 2);
/* The most frequent first. */
void samples_sort(struct samples *s) TG_NONNULL(1);

#endif
