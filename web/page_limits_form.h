#ifndef TG_WEB_PAGE_LIMITS_FORM_H
#define TG_WEB_PAGE_LIMITS_FORM_H

#include "lib/core/contract.h"
#include "lib/core/html.h"
#include "web/holder_view.h"

/* The forms of /limits/HOLDER. What was typed before (x->form; else what the address says) stands
 * in their fields again. */

void page_limits_form_set(struct exchange *x, struct html *h, const struct holder_view *v)
    TG_NONNULL(1, 2, 3);
void page_limits_form_plan(struct exchange *x, struct html *h, const struct holder_view *v)
    TG_NONNULL(1, 2, 3);
/* Removes that override. */
void page_limits_form_unset(struct exchange *x, struct html *h, const struct holder_view *v,
                            const struct limit *l) TG_NONNULL(1, 2, 3, 4);

/* The names of their fields, ended by NULL. */
extern const char *const page_limits_form_fields[];

#endif
