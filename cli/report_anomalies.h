#ifndef TG_CLI_REPORT_ANOMALIES_H
#define TG_CLI_REPORT_ANOMALIES_H

#include "cli/report_lists.h"
#include "cli/table.h"
#include "lib/core/contract.h"

/* Logins and domains far above what is usual for them, the latest first. */

struct report_anomalies {
    struct table table;
    size_t more; /* rows that `top` left out */
};
int report_anomalies_read(struct cli *cli, const struct report_list_question *q,
                          struct arena *arena, struct report_anomalies *out,
                          struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);

#endif
