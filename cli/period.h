#ifndef TG_CLI_PERIOD_H
#define TG_CLI_PERIOD_H

#include "cli/cli.h"
#include "lib/billing/bill_close.h"
#include "lib/billing/bill_late.h"

/* What the parts of `tollgate period` share. */

struct period_command {
    struct cli *cli;
    int verb;
    const char *typed, *force; /* NULL: not given */
    time_t now;
    struct bill_month month; /* where one was typed */
    struct bill_book book;
    struct arena arena;
};

#endif
