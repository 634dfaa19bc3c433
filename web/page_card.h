#ifndef TG_WEB_PAGE_CARD_H
#define TG_WEB_PAGE_CARD_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/*
 * /d/DOMAIN/card.svg: the domain's month as a picture for other sites and messages. Who is signed
 * in sees that of what he may see; anybody that of a signed link (until=, sig=:
 * lib/sys/signed_link), until it ends, as often as he likes, since a browser fetches a picture
 * again and again.
 *
 * A link that does not hold is answered as what does not exist.
 */

int page_card(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
