#ifndef TG_ADMIN_HOLDER_USAGE_H
#define TG_ADMIN_HOLDER_USAGE_H

#include "lib/admin/holder.h"
#include "lib/core/contract.h"
#include "lib/read/read_usage.h"

/* How much of its limits a holder has used. Limits are borrowed from holder_limits. */

/* Its own limits as they stand, then those of each of these users. */
int holder_usage_of(struct reader *r, const struct holder *h, const struct holder_limits *l,
                    const struct name_list *users, struct arena *arena, struct usage_rows *out,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4, 5, 6, 7);
/* Its own limits; of a domain, behind them, those of users: the fullest `top`. */
int holder_usage_read(struct reader *r, const struct holder *h, const struct holder_limits *l,
                      int64_t now_s, size_t top, struct arena *arena, struct usage_rows *out,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 6, 7, 8);
/* When they will be full, for who shows that: 28 days of each row are read. */
int holder_usage_forecast(struct reader *r, const struct holder *h, const struct usage_rows *rows,
                          struct arena *arena, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4, 5);
/* Adds to the rows of a domain, or of a user, those of the customer whose it is, if it has one:
 * these limits apply to its mail, too. */
int holder_usage_add_customer(const struct setup *s, struct reader *r, const struct holder *h,
                              int64_t now_s, struct arena *arena, struct usage_rows *rows,
                              struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 5, 6, 7);

#endif
