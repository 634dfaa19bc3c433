#ifndef TG_WEB_EXCHANGE_H
#define TG_WEB_EXCHANGE_H

#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/read/read.h"
#include "web/http_query.h"
#include "web/http_request.h"
#include "web/http_response.h"
#include "web/identity.h"
#include "web/site.h"

/*
 * A request and its answer, from the first header to the last byte: the memory, the settings in
 * force, who asks, and a connection to the store while it is needed.
 *
 * Owner: the server; exchange_free gives everything back.  Threads: one at a time.
 * Limits: EXCHANGE_BYTES of memory, besides the answer's body.
 */

#define EXCHANGE_BYTES ((size_t)256 << 20)

struct exchange {
    struct site *site;
    const struct site_settings *held;
    const struct settings *settings; /* those of `held` */
    struct arena arena;
    struct http_request request;
    bool is_path;                  /* the path names something */
    bool has_head;                 /* the headers have been taken in */
    size_t body_bytes;             /* of the body that came, kept or not */
    struct http_query query, form; /* of the address; of a POST's body */
    struct web_identity who;
    const struct setup_held *setup; /* NULL: not taken yet */
    struct store *store;            /* NULL: not taken yet */
    struct reader reader;
    struct http_response response;
    int64_t now_ms;     /* wall clock */
    int64_t figures_ms; /* monotonic: when the oldest figures of the answer were read; 0: none */
};

void exchange_free(struct exchange *x);
/* `target` as the request line has it. NULL: out of memory. */
struct exchange *exchange_new(struct site *site, struct slice target) TG_MUST_USE TG_NONNULL(1);

/* Takes a connection to the store, and sees that it holds our schema. EX_UNAVAILABLE. */
int exchange_store(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Gives it back; `good`: its trips came back. */
void exchange_store_give(struct exchange *x, bool good) TG_NONNULL(1);

/* The answer has figures that were read at that time (monotonic). */
void exchange_note_age(struct exchange *x, int64_t read_ms) TG_NONNULL(1);
/* How old its figures are, in whole seconds. */
int64_t exchange_age_s(const struct exchange *x) TG_NONNULL(1);
/* Hosted domains and plans, with the store: for this exchange only. EX_CONFIG, EX_UNAVAILABLE. */
int exchange_setup(struct exchange *x, struct setup *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

/* The client's address, for the log and for counting failures; "unknown" where no proxy told. */
struct slice exchange_client(const struct exchange *x) TG_NONNULL(1);
bool exchange_is_secure(const struct exchange *x) TG_NONNULL(1);
/* May passwords and cookies travel: over TLS, or on this very machine? */
bool exchange_is_safe(const struct exchange *x) TG_NONNULL(1);

#endif
