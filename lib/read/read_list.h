#ifndef TG_READ_READ_LIST_H
#define TG_READ_READ_LIST_H

#include "lib/core/contract.h"
#include "lib/read/read_range.h"
#include "lib/read/read_remarks.h"
#include "lib/sys/table.h"

/*
 * The reports that are lists and no counters: refusals by other servers (one row for each receiving
 * provider and DNS list that it names), and logins and domains far above what is usual for them.
 * The latest first.
 *
 * Owner: the arena given; texts of the question are borrowed.
 */

enum read_list_id { READ_LIST_REFUSALS, READ_LIST_ANOMALIES };

struct list_kind {
    enum read_list_id id;
    const char *name, *title, *help;
};
const struct list_kind *read_list_at(size_t index); /* NULL after the last */
const struct list_kind *read_list_find(struct slice name);

struct list_question {
    const struct list_kind *kind;
    const struct range *range;
    struct slice domain; /* canonical; empty: all */
    size_t top;          /* 0: all */
    const char *timezone;
};

struct list_report {
    struct table table;
    size_t more; /* rows that `top` left out */
    struct remark_list remarks;
};
int read_list(struct reader *r, const struct list_question *q, struct arena *arena,
              struct list_report *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4, 5);
/* "outlook.com (mx.outlook.com) to mx1: 550 5.7.1 ...": the latest reply of a refusal's row. False:
 * the row has none. */
bool read_list_text(const struct list_question *q, const struct list_report *l, size_t row,
                    struct buf *b) TG_NONNULL(1, 2, 4);
/* One object; the caller's. */
struct json_t *read_list_json(const struct list_question *q, const struct list_report *l)
    TG_NONNULL(1, 2);

#endif
