#ifndef TG_CLI_CONTROL_H
#define TG_CLI_CONTROL_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * Requests to tollgated over its control socket, STATE_DIR/control.sock (milter/control.h has
 * them). One connection a request, so that others are served in between.
 */

/* The answer (the caller's), or NULL: EX_UNAVAILABLE where tollgated is not running here, EX_NOPERM
 * without permission, EX_TEMPFAIL with the text of an error answer (*never, which may be NULL: the
 * answer will not change). Takes the reference to the request. */
json_t *control_ask(const char *state_dir, json_t *request, bool *never,
                    struct err *err) TG_MUST_USE;

#endif
