#ifndef TG_SYS_LINE_ASK_H
#define TG_SYS_LINE_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * A question to a daemon over its line_socket. One connection a question, so that others are served
 * in between.
 */

struct line_ask {
    const char *path; /* of the socket */
    int64_t connect_ms, answer_ms;
    size_t answer_bytes; /* at most */
};

/* The answer, an object and the caller's; or NULL: EX_NOPERM without permission, EX_UNAVAILABLE
 * where nobody listens (the text is that of errno), EX_PROTOCOL where no answer came, EX_TEMPFAIL
 * for {"error": text} (*never, which may be NULL: it had "never": true). Takes the reference to the
 * request. */
json_t *line_ask(const struct line_ask *a, json_t *request, bool *never,
                 struct err *err) TG_MUST_USE TG_NONNULL(1, 4);

#endif
