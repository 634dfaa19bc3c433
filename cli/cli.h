#ifndef TG_CLI_CLI_H
#define TG_CLI_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/render.h"
#include "lib/core/report_grid.h"
#include "lib/read/read.h"
#include "lib/sys/settings.h"

/*
 * What the commands of `tollgate` share: options, configuration, the store, output.
 */

struct json_t; /* of jansson */

struct cli {
    const char *config; /* -c */
    struct settings *settings;
    struct store *store;
    struct reader reader;
};

/* "tollgate: text" on stderr; returns err->code. */
int cli_fail(const struct err *err);
/* The same for a wrong command line: names the page that helps, returns EX_USAGE. */
int cli_usage(const char *command, const char *format, ...) TG_PRINTF(2, 3);
/* Puts "--option value: " before what is wrong with it; returns -1. */
int cli_bad_value(struct err *err, const char *option, const char *value) TG_MUST_USE;
/* `"typed" is no WHAT; did you mean ...?` or, where nothing is near, the names that there are. */
int cli_unknown(const char *command, const char *what, const char *typed, const char *const *names,
                size_t count);

/* Loads the configuration and sets its time zone. 0, or an exit code after having said why. */
int cli_load(struct cli *cli) TG_NONNULL(1);
/* The same, connects to the store and makes cli->reader. */
int cli_open(struct cli *cli) TG_NONNULL(1);
void cli_close(struct cli *cli);

/* --- options --------------------------------------------------------------------------------- */

/* getopt_long with our own texts; the options may stand among the names. Every command also knows
 * -c FILE and -h. */
#define OPTION_END   (-1)
#define OPTION_WRONG (-2) /* said already: return EX_USAGE */
#define OPTION_HELP  (-3) /* shown already: return EX_OK */
int cli_option_next(struct cli *cli, const char *help, int argc, char **argv,
                    const struct option *options) TG_NONNULL(1);
/* The place of optarg among the names, or -1 after having said so. */
int cli_option_choice(const char *command, const char *option, const char *const *names,
                      size_t count);

/* --- output ---------------------------------------------------------------------------------- */

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON, FORMAT_CHART };

/* By the terminal and the locale; width 0 where stdout is no terminal (and COLUMNS not set). */
void cli_style(struct render_style *style) TG_NONNULL(1);
/* 0 or an exit code, said. */
int cli_write(const struct buf *b) TG_NONNULL(1);
int cli_write_grid(const struct report_grid *g, enum format format) TG_NONNULL(1);
/* Adds the value as indented text, and forgets it. */
void cli_add_json(struct buf *b, struct json_t *json) TG_NONNULL(1);

#endif
