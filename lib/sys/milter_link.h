#ifndef TG_SYS_MILTER_LINK_H
#define TG_SYS_MILTER_LINK_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/milter_client.h"

/*
 * A connection to a milter: the socket and the deadlines around lib/core/milter_client.h.
 *
 *     milter_client_mail(&link->client, path, params, count);
 *     while ((got = milter_link_next(link, timeout_ms, &answer, &err)) > 0 && !answer.is_final)
 *         apply(&answer);
 *
 * Units: ms.  Owner: open/close.  Threads: one.
 * Errors: -1 (EX_UNAVAILABLE); the socket is closed then.
 */

struct milter_link {
    int fd; /* -1: closed */
    struct milter_client client;
    struct buf in;
    size_t taken; /* of `in`, by earlier answers */
};

/* `where` as socket_name_parse takes it. Connects and negotiates. */
int milter_link_open(struct milter_link *l, const char *where, int64_t timeout_ms,
                     struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Sends QUIT if that needs no waiting, and frees all. Safe after a failed open. */
void milter_link_close(struct milter_link *l);

/* Sends `out`. 0: no answer is due; 1: *out is the next answer, whose slices are valid until the
 * next call. `timeout_ms` is for each read or write that has to wait. */
int milter_link_next(struct milter_link *l, int64_t timeout_ms, struct milter_answer *out,
                     struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Sends `out` without waiting for an answer: after milter_client_abort. */
int milter_link_flush(struct milter_link *l, int64_t timeout_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
