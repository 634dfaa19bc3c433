#ifndef TG_COLLECT_MAIL_NOTE_H
#define TG_COLLECT_MAIL_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/machine.h"

/*
 * Numbers that machines have to remember between lines (OPEN_NOTE): milliseconds of a domain that
 * do not make a second yet, the time when a daemon stopped.
 */

void mail_note_type(struct open_book *b) TG_NONNULL(1);
/* False: nothing is noted under that key. */
bool mail_note_get(const struct machine *m, struct slice key, int64_t *value) TG_NONNULL(1, 3);
void mail_note_set(struct machine *m, struct slice key, int64_t value, int64_t now_ms)
    TG_NONNULL(1);
void mail_note_drop(struct machine *m, struct slice key) TG_NONNULL(1);

/* Adds milliseconds that a domain is charged, and gives the whole seconds that are due: over time
 * they are the seconds of the sum. */
uint64_t mail_note_seconds(struct machine *m, struct slice domain, uint64_t ms, int64_t now_ms)
    TG_NONNULL(1);

#endif
