#ifndef TG_CLI_CLI_H
#define TG_CLI_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/admin/setup.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/render.h"
#include "lib/core/render_html.h"
#include "lib/core/report_grid.h"
#include "lib/read/read.h"
#include "lib/sys/settings.h"

/*
 * What the commands of `tollgate` share: configuration, the store, output.
 */

struct json_t; /* of jansson */
struct options_table;

struct cli {
    const char *config; /* -c */
    struct settings *settings;
    struct store *store;
    struct reader reader;
    const struct options_table **described; /* not NULL: where options_parse leaves its table */
};

/* "tollgate: text" on stderr; returns err->code. */
int cli_fail(const struct err *err);
/* The same for a wrong command line: names the page that helps, returns EX_USAGE. */
int cli_usage(const char *command, const char *format, ...) TG_PRINTF(2, 3);
/* Puts "--option value: " before what is wrong with it; returns -1. */
int cli_bad_value(struct err *err, const char *option, const char *value) TG_MUST_USE;
/* `unknown WHAT "typed"; did you mean ...?` or, if nothing is near, the names that there are. */
int cli_unknown(const char *command, const char *what, const char *typed, const char *const *names,
                size_t count);

/* Loads the configuration and sets its time zone. 0, or an exit code after having said why. */
int cli_load(struct cli *cli) TG_NONNULL(1);
/* The same, connects to the store and makes cli->reader. */
int cli_open(struct cli *cli) TG_NONNULL(1);
/* The same, and puts the configuration to use; overrides that cannot be read are reported.
 * setup_close in any case. */
int cli_setup(struct setup *s, struct cli *cli) TG_NONNULL(1, 2);
void cli_close(struct cli *cli);

/* Before a change that the log is to tell of: what is logged from here on goes to the configured
 * log, from LOG_NOTICE up. */
void cli_log(const struct cli *cli) TG_NONNULL(1);
/* Who runs the command: behind sudo, who called it. */
struct slice cli_author(void);

/* Reports what getopt_long has found wrong; returns EX_USAGE. */
int cli_option_wrong(const char *command, char **argv, const struct option *options, int got);

/* --- output ---------------------------------------------------------------------------------- */

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON, FORMAT_CHART, FORMAT_SVG, FORMAT_HTML };

/* By the terminal and the locale; width 0 where stdout is no terminal (and COLUMNS not set). */
void cli_style(struct render_style *style) TG_NONNULL(1);
/* 0 or an exit code, said. */
int cli_write(const struct buf *b) TG_NONNULL(1);
/* `chart` is that of FORMAT_SVG and FORMAT_HTML. */
int cli_write_grid(const struct report_grid *g, enum format format, enum render_svg_kind chart)
    TG_NONNULL(1);
/* Adds the value as indented text, and forgets it. */
void cli_add_json(struct buf *b, struct json_t *json) TG_NONNULL(1);
/* Null where it is empty; a time (RFC 3339, in the configured zone), where it is 0. */
struct json_t *cli_json_text(struct slice text);
struct json_t *cli_json_time(int64_t unix_s);

#endif
