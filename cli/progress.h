#ifndef TG_CLI_PROGRESS_H
#define TG_CLI_PROGRESS_H

#include "cli/cli.h"
#include "lib/core/contract.h"

/*
 * How far a long reading is, as a line on the terminal of standard error that is written over, from
 * the first second on. Nothing where standard error is no terminal.
 */

#define PROGRESS_AFTER_MS 1000
#define PROGRESS_EVERY_MS 200

struct progress {
    struct cli *cli;
    int64_t next_ms; /* monotonic */
    bool is_shown;
};

/* Once cli->reader is made. `began_ms`: when the command began. *p must live until the end. */
void progress_start(struct progress *p, struct cli *cli, int64_t began_ms) TG_NONNULL(1, 2);
/* Before anything else is written: the line goes. */
void progress_end(struct progress *p) TG_NONNULL(1);

#endif
