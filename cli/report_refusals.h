#ifndef TG_CLI_REPORT_REFUSALS_H
#define TG_CLI_REPORT_REFUSALS_H

#include "cli/report_lists.h"
#include "cli/table.h"
#include "lib/core/contract.h"

/* Refusals by other servers, one row for each receiving provider and DNS list that it names; the
 * latest first. */

struct report_refusals {
    struct table table;
    size_t more;      /* rows that `top` left out */
    struct buf texts; /* the latest reply of the first rows, for people */
};
int report_refusals_read(struct cli *cli, const struct report_list_question *q, struct arena *arena,
                         struct report_refusals *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4);

#endif
