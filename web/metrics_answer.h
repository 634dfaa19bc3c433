#ifndef TG_WEB_METRICS_ANSWER_H
#define TG_WEB_METRICS_ANSWER_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/*
 * GET /metrics, for an address in web.metrics_from or an administrator's token. While the store is
 * away the answer is 200 and says tollgate_up 0.
 *
 * A request that a proxy has passed on is not the proxy's: where the proxy is not trusted, and so
 * nobody knows whose it is, it needs a token.
 */

int metrics_answer(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
