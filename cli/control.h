#ifndef TG_CLI_CONTROL_H
#define TG_CLI_CONTROL_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * Asking tollgated through its control socket, STATE_DIR/control.sock, which knows what is held on
 * this node. A connection a request, so that others are served meanwhile.
 */

/* The answer (the caller's), or NULL: EX_UNAVAILABLE where tollgated does not run here, EX_NOPERM
 * for who may not, EX_TEMPFAIL with the text of an error answer (*never, which may be NULL:
 * it will be the same for ever). Forgets the request. */
json_t *control_ask(const char *state_dir, json_t *request, bool *never,
                    struct err *err) TG_MUST_USE;

#endif
