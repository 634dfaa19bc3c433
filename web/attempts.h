#ifndef TG_WEB_ATTEMPTS_H
#define TG_WEB_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Failed sign-ins: how often a name, and a network, may be wrong before no password is checked any
 * more. A network that has been right for a name within the time is not shut out by others' guesses
 * at that name. And a limit on how many passwords are checked at once, since each costs a large
 * part of a second of a processor.
 *
 * Units: ms of the monotonic clock.  Threads: all.
 * Limits: tables of ATTEMPTS_SLOTS; two keys that meet in a slot: the later one has it.
 */

#define ATTEMPTS_WINDOW_MS   INT64_C(900000)
#define ATTEMPTS_NAME_MAX    5
#define ATTEMPTS_NETWORK_MAX 20
#define ATTEMPTS_SLOTS       4096
#define ATTEMPTS_WORKERS_MAX 2
#define ATTEMPTS_WAIT_MS     INT64_C(3000)

struct attempts;

struct web_attempt {
    struct slice name;
    struct slice client; /* its address; a /24 or a /64 of them is a network */
    int64_t now_ms;
};

enum attempt_leave { ATTEMPT_MAY, ATTEMPT_TOO_MANY, ATTEMPT_BUSY };

void attempts_free(struct attempts *a);
struct attempts *attempts_new(struct err *err) TG_MUST_USE;

/* May a password be checked now? Waits at most ATTEMPTS_WAIT_MS for its turn. After ATTEMPT_MAY
 * attempts_end has to follow. */
enum attempt_leave attempts_begin(struct attempts *a, const struct web_attempt *attempt) TG_MUST_USE
    TG_NONNULL(1, 2);
void attempts_end(struct attempts *a, const struct web_attempt *attempt, bool good)
    TG_NONNULL(1, 2);

#endif
