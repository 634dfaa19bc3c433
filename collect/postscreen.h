#ifndef TG_COLLECT_POSTSCREEN_H
#define TG_COLLECT_POSTSCREEN_H

#include "collect/machine.h"

/*
 * Clients of postscreen, by "[address]:port". One that is handed on to smtpd counts there, and one
 * that postscreen sends away ("DISCONNECT") counts here. Which it is, its end tells, so that its
 * figures are counted then, each at its own time.
 *
 * Limits: what has no end within POSTSCREEN_LOST_MS was handed on without a word (tests that failed
 * and are configured to be ignored).
 */

#define POSTSCREEN_LOST_MS 3600000
#define POSTSCREEN_MAX     100000

void postscreen_type(struct open_book *b) TG_NONNULL(1);
const struct shape *postscreen_line(struct machine *m, const struct log_line *line)
    TG_NONNULL(1, 2);
void postscreen_tick(struct machine *m, int64_t now_ms, unsigned source) TG_NONNULL(1);

#endif
