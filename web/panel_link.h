#ifndef TG_WEB_PANEL_LINK_H
#define TG_WEB_PANEL_LINK_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/*
 * /in?u=NAME&until=TIME&sig=SIGNATURE: a control panel signs its user in. It shares the key in
 * web.link_key_file; the signature is the HMAC-SHA-256, in hexadecimal digits, of the name, a line
 * feed, and the time. The link holds until TIME (Unix seconds), at most PANEL_LINK_MAX_S ahead, and
 * once: who finds it in a log later cannot use it.
 */

#define PANEL_LINK_MAX_S 60

int panel_link(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
