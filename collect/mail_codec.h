#ifndef TG_COLLECT_MAIL_CODEC_H
#define TG_COLLECT_MAIL_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * Texts and numbers of what is open, as collect.db keeps them: integers are varints, texts a length
 * and bytes. A text in a struct is a slice of its own memory.
 */

/* *own becomes a copy of `text`; what was there is freed. Out of memory: it is empty. */
void mail_codec_set(struct slice *own, struct slice text) TG_NONNULL(1);
void mail_codec_clear(struct slice *own) TG_NONNULL(1);

void mail_codec_text(struct buf *b, struct slice text) TG_NONNULL(1);
void mail_codec_int(struct buf *b, int64_t value) TG_NONNULL(1);

bool mail_codec_take_text(struct slice *s, struct slice *text) TG_NONNULL(1, 2);
/* Takes a text and copies it into *own. */
bool mail_codec_take_own(struct slice *s, struct slice *own) TG_NONNULL(1, 2);
bool mail_codec_take_int(struct slice *s, int64_t *value) TG_NONNULL(1, 2);
bool mail_codec_take_flags(struct slice *s, unsigned *flags) TG_NONNULL(1, 2);

#endif
