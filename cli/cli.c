#include "cli/cli.h"

#include <errno.h>
#include <jansson.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/format.h"
#include "lib/core/suggest.h"
#include "lib/sys/clock.h"
#include "lib/sys/json.h"

#define OUTPUT_BYTES ((size_t)1 << 30)

/* --- what goes wrong ------------------------------------------------------------------------- */

/* The text may hold what Redis, a file or a map said: it must not reach the terminal as it is. */
int cli_fail(const struct err *err)
{
    struct buf clean;

    buf_init(&clean, sizeof err->text * 2);
    format_text(&clean, slice_str(err->text));
    (void)fprintf(stderr, "tollgate: %.*s\n", SLICE_FMT(buf_slice(&clean)));
    buf_fini(&clean);
    return err->code != 0 ? err->code : EX_SOFTWARE;
}

static void say_help(const char *command)
{
    (void)fprintf(stderr, "Try `tollgate %s%s-h', or tollgate(1).\n",
                  command != NULL ? command : "", command != NULL ? " " : "");
}

int cli_usage(const char *command, const char *format, ...)
{
    va_list ap;

    (void)fputs("tollgate: ", stderr);
    va_start(ap, format);
    (void)vfprintf(stderr, format, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    say_help(command);
    return EX_USAGE;
}

int cli_bad_value(struct err *err, const char *option, const char *value)
{
    err->code = EX_USAGE;
    return err_prefix(err, "%s %s", option, value);
}

int cli_unknown(const char *command, const char *what, const char *typed, const char *const *names,
                size_t count)
{
    const char *nearest = suggest_name(slice_str(typed), names, count);
    const char *dashes = strcmp(what, "option") == 0 ? "--" : "";

    (void)fprintf(stderr, "tollgate: \"%s%s\" is no %s", dashes, typed, what);
    if (nearest != NULL) {
        (void)fprintf(stderr, "; did you mean %s%s?\n", dashes, nearest);
    } else {
        (void)fprintf(stderr, "; there are:");
        for (size_t i = 0; i < count; i++)
            (void)fprintf(stderr, " %s%s", dashes, names[i]);
        (void)fputc('\n', stderr);
    }
    say_help(command);
    return EX_USAGE;
}

/* --- configuration and store ----------------------------------------------------------------- */

int cli_load(struct cli *cli)
{
    struct err err = {0};

    if (cli->settings != NULL)
        return EX_OK;
    cli->settings = settings_load(cli->config, stderr, &err);
    if (cli->settings == NULL || clock_zone_set(cli->settings->timezone, &err) != 0)
        return cli_fail(&err);
    return EX_OK;
}

int cli_open(struct cli *cli)
{
    struct err err = {0};
    int code = cli_load(cli);

    if (code != EX_OK)
        return code;
    cli->store = store_new(cli->settings, &err);
    if (cli->store == NULL)
        return cli_fail(&err);
    cli->reader = (struct reader){.store = cli->store, .prefix = cli->settings->store.prefix};
    if (read_schema(&cli->reader, &err) != 0)
        return cli_fail(&err);
    return EX_OK;
}

void cli_close(struct cli *cli)
{
    store_free(cli->store);
    if (cli->settings != NULL)
        settings_free(cli->settings);
    cli->store = NULL;
    cli->settings = NULL;
}

/* --- options --------------------------------------------------------------------------------- */

static int option_wrong(const char *command, char **argv, const struct option *options, int got)
{
    const char *typed = argv[optind - 1], *names[32];
    size_t count = 0;

    if (got == ':') {
        (void)cli_usage(command, "the option %s wants a value", typed);
        return OPTION_WRONG;
    }
    if (optopt != 0 && typed[1] != '-') {
        (void)cli_usage(command, "there is no option -%c", optopt);
        return OPTION_WRONG;
    }
    if (optopt != 0 || strchr(typed, '=') != NULL) {
        (void)cli_usage(command, "the option %s is not known, or takes no value", typed);
        return OPTION_WRONG;
    }
    for (; options[count].name != NULL && count < 32; count++)
        names[count] = options[count].name;
    (void)cli_unknown(command, "option", typed + 2, names, count);
    return OPTION_WRONG;
}

int cli_option_next(struct cli *cli, const char *help, int argc, char **argv,
                    const struct option *options)
{
    for (;;) {
        int got = getopt_long(argc, argv, ":c:h", options, NULL);

        if (got == 'c') {
            cli->config = optarg;
        } else if (got == 'h') {
            (void)fputs(help, stdout);
            return OPTION_HELP;
        } else {
            return got == ':' || got == '?' ? option_wrong(argv[0], argv, options, got) : got;
        }
    }
}

int cli_option_choice(const char *command, const char *option, const char *const *names,
                      size_t count)
{
    char what[64];

    for (size_t i = 0; i < count; i++) {
        if (strcmp(optarg, names[i]) == 0)
            return (int)i;
    }
    (void)snprintf(what, sizeof what, "value of %s", option);
    (void)cli_unknown(command, what, optarg, names, count);
    return -1;
}

/* --- output ---------------------------------------------------------------------------------- */

static unsigned terminal_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    uint64_t n;

    if (columns != NULL && slice_number(slice_str(columns), &n) && n > 0 && n < 10000)
        return (unsigned)n;
    if (isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        return size.ws_col;
    return 0;
}

void cli_style(struct render_style *style)
{
    const char *term = getenv("TERM");

    style->width = terminal_width();
    style->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    style->colour = isatty(STDOUT_FILENO) != 0 && getenv("NO_COLOR") == NULL && term != NULL &&
                    strcmp(term, "dumb") != 0;
}

static int write_failed(void)
{
    (void)fprintf(stderr, "tollgate: cannot write the output: %s\n", strerror(errno));
    return EX_IOERR;
}

int cli_write(const struct buf *b)
{
    if (b->failed) {
        (void)fprintf(stderr, "tollgate: out of memory for the output\n");
        return EX_OSERR;
    }
    if (fwrite(buf_slice(b).ptr, 1, b->len, stdout) != b->len || fflush(stdout) != 0)
        return write_failed();
    return EX_OK;
}

static int write_json(const struct report_grid *g)
{
    struct err err = {0};

    if (json_write_grid(g, stdout, &err) != 0 || fflush(stdout) != 0)
        return write_failed();
    return EX_OK;
}

int cli_write_grid(const struct report_grid *g, enum format format)
{
    struct render_style style;
    struct buf b;
    int code;

    if (format == FORMAT_JSON)
        return write_json(g);
    cli_style(&style);
    buf_init(&b, OUTPUT_BYTES);
    if (format == FORMAT_CSV)
        render_csv(g, &b);
    else if (format == FORMAT_CHART)
        render_chart(g, &style, &b);
    else
        render_table(g, &style, &b);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

void cli_add_json(struct buf *b, json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

    if (text == NULL)
        b->failed = true;
    else
        buf_add_str(b, text);
    buf_add_char(b, '\n');
    free(text);
    json_decref(json);
}
