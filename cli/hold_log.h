#ifndef TG_CLI_HOLD_LOG_H
#define TG_CLI_HOLD_LOG_H

#include <stdint.h>

#include "cli/hold_queue.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/strmap.h"

/*
 * Reads what the mail logs tell about held messages that are in no queue (cli/hold_trace). For an
 * instance of Postfix that is its maillog_file; where that is empty, for Sendmail and for
 * tollgate-relay, /var/log/mail.log and /var/log/maillog, or, where none of them is in use, the
 * systemd journal. Rotated files are read, too.
 *
 * Limits: HOLD_LOG_BYTES a log, its newest. A log that cannot be read tells nothing.
 */

#define HOLD_LOG_BYTES ((size_t)256 << 20)

/* traces: queue id -> struct hold_trace *. since_s: what ended before that (Unix time) is not read.
 * -1 (EX_OSERR): out of memory. */
int hold_log_read(const struct hold_queues *q, int64_t since_s, const struct strmap *traces,
                  struct err *err) TG_MUST_USE TG_NONNULL(1, 3, 4);

#endif
