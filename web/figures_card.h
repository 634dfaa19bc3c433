#ifndef TG_WEB_FIGURES_CARD_H
#define TG_WEB_FIGURES_CARD_H

#include "lib/core/contract.h"
#include "lib/core/render_card.h"
#include "web/scope.h"

/* A domain's month so far, as its card shows it; part of figures.h. Owner: the exchange. */

struct exchange;

int figures_card(struct exchange *x, const struct scope *scope, struct render_card *out,
                 struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);

#endif
