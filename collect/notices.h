#ifndef TG_COLLECT_NOTICES_H
#define TG_COLLECT_NOTICES_H

#include "collect/machine.h"

/*
 * What journald and rsyslogd say of lines that are not in the log: rate limits, their own stops.
 * Each becomes a gap.
 */

const struct shape *notices_line(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);

#endif
