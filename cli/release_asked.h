#ifndef TG_CLI_RELEASE_ASKED_H
#define TG_CLI_RELEASE_ASKED_H

#include "lib/admin/release_request.h"
#include "lib/core/contract.h"

/* Requests to release a message that were made on the pages, as tollgated has them from the store.
 * A release needs none. */

struct release_asked {
    const char *state_dir;
    struct release_requests list; /* with queue id, account and held_s only */
};

void release_asked_read(const char *state_dir, struct arena *arena, struct release_asked *a)
    TG_NONNULL(1, 2, 3);
/* It has been carried out, or its message is held no longer. */
void release_asked_done(const struct release_asked *a, const struct release_request *r,
                        bool is_released) TG_NONNULL(1, 2);

#endif
