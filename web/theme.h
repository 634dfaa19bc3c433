#ifndef TG_WEB_THEME_H
#define TG_WEB_THEME_H

#include "lib/core/contract.h"
#include "lib/core/html.h"
#include "web/exchange.h"

/*
 * Light, dark, or as the system has it (auto): a cookie of the browser, which says nothing about
 * who uses it. Pages work without it.
 */

enum theme { THEME_AUTO, THEME_LIGHT, THEME_DARK };

/* What the cookie says; what it says wrongly is auto. */
enum theme theme_of(const struct exchange *x) TG_NONNULL(1);
/* Of the html element: nothing where the system decides. */
void theme_attr(const struct exchange *x, struct html *h) TG_NONNULL(1, 2);
/* A button that goes on to the next one, and a row of all three. */
void theme_button(struct exchange *x, struct html *h) TG_NONNULL(1, 2);
void theme_choice(struct exchange *x, struct html *h) TG_NONNULL(1, 2);

/* POST /theme (a route_handler): sets the cookie, and leads back. */
int theme_answer(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
