#ifndef TG_ADMIN_LIMIT_LIST_H
#define TG_ADMIN_LIMIT_LIST_H

#include "lib/admin/holder.h"
#include "lib/core/contract.h"
#include "lib/sys/table.h"

/* The limits of a holder, and those of a plan, as a table and as JSON: the same for the command and
 * for programs that ask over HTTP. Owner: the arena given; JSON is the caller's. */

struct json_t; /* of jansson */

/* By scope, metric, window and whose: the store gives them in any order. */
void limit_list_sort(const struct holder_limits *l) TG_NONNULL(1);
/* Those in force, sorted; sorts the holder's overrides, too. */
void limit_list_fill(const struct holder *h, const struct holder_limits *l, int64_t now_s,
                     struct arena *arena, struct table *list) TG_NONNULL(1, 2, 4, 5);
void limit_list_plan(const struct plan *plan, struct arena *arena, struct table *list)
    TG_NONNULL(1, 2, 3);
/* Of one user or client only what can be in force for it. */
bool limit_list_concerns(const struct holder *h, const struct limit *o) TG_NONNULL(1, 2);
/* `list` as limit_list_fill has made it; with_authors: who set what, and why. NULL: out of memory.
 */
struct json_t *limit_list_json(const struct setup *s, const struct holder *h,
                               const struct holder_limits *l, int64_t now_s, bool with_authors,
                               const struct table *list) TG_MUST_USE TG_NONNULL(1, 2, 3, 6);

#endif
