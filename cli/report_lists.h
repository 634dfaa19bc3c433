#ifndef TG_CLI_REPORT_LISTS_H
#define TG_CLI_REPORT_LISTS_H

#include "cli/cli.h"
#include "lib/core/contract.h"
#include "lib/read/read_list.h"

/* Reads and writes a list, as table, CSV or JSON; 0 or an exit code, said. */
int report_list_write(struct cli *cli, const struct list_question *q, enum format format)
    TG_NONNULL(1, 2);

#endif
