#ifndef TG_MILTER_CONTROL_ASKED_H
#define TG_MILTER_CONTROL_ASKED_H

#include <jansson.h>

#include "lib/core/contract.h"
#include "lib/sys/settings.h"

/* Requests to release a message that were left in the store (lib/admin/release_request), for
 * `tollgate release', which needs no store of its own so. Each is one trip. */

/* {"asked":[{"id":..,"account":..,"held":..}, ...]}: those for this node; none where the store is
 * away. */
json_t *control_asked_list(const struct settings *s) TG_MUST_USE TG_NONNULL(1);
/* {"ok":true}: that of the queue id is gone, and a line in the log says by whom it was made and
 * whether the message was released. */
json_t *control_asked_done(const struct settings *s, const json_t *request) TG_MUST_USE
    TG_NONNULL(1, 2);

#endif
