#ifndef TG_THROTTLE_THROTTLE_SCRIPT_H
#define TG_THROTTLE_THROTTLE_SCRIPT_H

#include "lib/throttle/throttle_call.h"

/* Makes the trips of a call on a connection, and waits for them. Threads: one, with the connection.
 */

/* Until no command is due; timeout_ms is for each trip. -1: EX_UNAVAILABLE without an answer,
 * EX_TEMPFAIL for an error reply. */
int throttle_script_run(struct store *st, struct throttle_call *c, int64_t timeout_ms,
                        struct arena *arena, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
