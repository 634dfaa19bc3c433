#ifndef TG_WEB_ROUTES_H
#define TG_WEB_ROUTES_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/*
 * The table of addresses, and the way of a request: path -> route -> method -> who asks -> handler
 * -> answer, or the page (or problem document, RFC 9457) of what is wrong.
 *
 * What a handler can rely on: the method is one of its route's; where the route is not open, x->who
 * is somebody; a POST came from a page of this site, x->form holds its fields, and where somebody
 * is signed in, his token was among them.
 */

/* Fills in x->response. -1: *err says what is wrong; EX_USAGE 400, EX_NOUSER 404, EX_NOPERM 401,
 * EX_UNAVAILABLE 503, all else 500. */
typedef int route_handler(struct exchange *x, struct err *err);

void routes_answer(struct exchange *x) TG_NONNULL(1);

#endif
