#ifndef TG_RELAY_MAIL_DATE_H
#define TG_RELAY_MAIL_DATE_H

#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"

/* Adds a time (Unix, ms) as RFC 5322 3.3 has it, in the process's zone:
 * `Sat, 21 Nov 2026 12:00:00 +0000`. */
void mail_date_add(struct buf *out, int64_t ms) TG_NONNULL(1);

#endif
