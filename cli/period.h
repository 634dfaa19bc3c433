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
    int to;                    /* of export: the place in period_export_names; -1: not given */
    int by;                    /* of export: 0 by customer; -1 not given */
    bool dry_run, again;
    time_t now;
    struct bill_month month; /* where one was typed */
    struct bill_book book;
    struct arena arena;
};

/* The names of targets, ended by NULL. */
extern const char *const period_export_names[];
/* Does that target know domains, and no customers? */
bool period_export_is_by_domain(int to);
/* Exports the i-th closed month: 0, or an exit code, said. */
int period_export(struct period_command *w, size_t i) TG_NONNULL(1);

#endif
