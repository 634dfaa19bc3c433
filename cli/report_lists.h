#ifndef TG_CLI_REPORT_LISTS_H
#define TG_CLI_REPORT_LISTS_H

#include "cli/cli.h"
#include "cli/range.h"
#include "lib/core/contract.h"

/* The reports that are lists and no counters: refusals by other servers, and anomalies. */

struct report_list {
    const char *name, *title, *help;
};
const struct report_list *report_list_at(size_t index); /* NULL after the last */
const struct report_list *report_list_find(const char *name) TG_NONNULL(1);

struct report_list_question {
    const struct range *range;
    struct slice domain; /* canonical; empty: all */
    size_t top;          /* 0: all */
    enum format format;  /* table, CSV or JSON */
};
/* Reads and writes it; 0 or an exit code, said. */
int report_list_write(struct cli *cli, const struct report_list *list,
                      const struct report_list_question *q) TG_NONNULL(1, 2, 3);

#endif
