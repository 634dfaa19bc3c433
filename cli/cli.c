#include "cli/cli.h"

#include <errno.h>
#include <jansson.h>
#include <langinfo.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "lib/core/format.h"
#include "lib/core/suggest.h"
#include "lib/core/text.h"
#include "lib/sys/clock.h"
#include "lib/sys/json.h"
#include "lib/sys/log.h"

#define OUTPUT_BYTES ((size_t)1 << 30)
#define TEXT_BYTES   ((size_t)1 << 16)

/* --- what goes wrong ------------------------------------------------------------------------- */

/* The text may hold what Redis, a file, a map or the command line said: it must not reach the
 * terminal as it is. */
static void say(struct slice text)
{
    struct buf clean;

    buf_init(&clean, TEXT_BYTES);
    format_text(&clean, text);
    (void)fprintf(stderr, "tollgate: %.*s\n", SLICE_FMT(buf_slice(&clean)));
    buf_fini(&clean);
}

int cli_fail(const struct err *err)
{
    say(slice_str(err->text));
    return err->code != 0 ? err->code : EX_SOFTWARE;
}

static int say_help(const char *command)
{
    (void)fprintf(stderr, "Try `tollgate %s%s--help', or see tollgate(1).\n",
                  command != NULL ? command : "", command != NULL ? " " : "");
    return EX_USAGE;
}

int cli_usage(const char *command, const char *format, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    say(slice_str(text));
    return say_help(command);
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
    struct buf b;

    buf_init(&b, TEXT_BYTES);
    buf_addf(&b, "unknown %s \"%s%s\"", what, dashes, typed);
    if (nearest != NULL)
        buf_addf(&b, "; did you mean %s%s?", dashes, nearest);
    else
        buf_add_str(&b, "; choose from:");
    for (size_t i = 0; nearest == NULL && i < count; i++)
        buf_addf(&b, " %s%s", dashes, names[i]);
    say(buf_slice(&b));
    buf_fini(&b);
    return say_help(command);
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

static void warn(const struct err *err)
{
    (void)cli_fail(err);
}

int cli_setup(struct setup *s, struct cli *cli)
{
    struct err err = {0};
    int code;

    *s = (struct setup){.settings = NULL};
    code = cli_open(cli);
    if (code != EX_OK)
        return code;
    if (setup_open(s, cli->settings, &err) != 0)
        return cli_fail(&err);
    s->store = cli->store;
    s->warn = warn;
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

/* --- changes --------------------------------------------------------------------------------- */

void cli_log(const struct cli *cli)
{
    const struct settings *s = cli->settings;

    log_open("tollgate", (enum log_target)s->log.target, s->log.facility,
             s->log.level > LOG_NOTICE ? LOG_NOTICE : s->log.level);
}

struct slice cli_author(void)
{
    static const char *const names[] = {"SUDO_USER", "USER", "LOGNAME"};
    const struct passwd *user;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *name = getenv(names[i]);

        if (name != NULL && name[0] != '\0')
            return slice_str(name);
    }
    user = getpwuid(getuid());
    return user != NULL ? slice_str(user->pw_name) : SLICE("unknown");
}

/* --- options --------------------------------------------------------------------------------- */

int cli_option_wrong(const char *command, char **argv, const struct option *options, int got)
{
    const char *typed = argv[optind - 1], *names[32];
    size_t count = 0;

    if (got == ':')
        return cli_usage(command, "the option %s needs a value", typed);
    if (optopt != 0 && typed[1] != '-')
        return cli_usage(command, "unknown option -%c", optopt);
    if (optopt != 0 || strchr(typed, '=') != NULL)
        return cli_usage(command, "the option %s is unknown, or takes no value", typed);
    for (; options[count].name != NULL && count < 32; count++)
        names[count] = options[count].name;
    return cli_unknown(command, "option", typed + 2, names, count);
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

/* A buf_sink. */
static bool to_stdout(void *context, struct slice text)
{
    (void)context;
    return fwrite(text.ptr, 1, text.len, stdout) == text.len;
}

int cli_write(const struct buf *b)
{
    if (b->failed && ferror(stdout) == 0) {
        (void)fprintf(stderr, "tollgate: out of memory for the output\n");
        return EX_OSERR;
    }
    if (b->failed || !to_stdout(NULL, buf_slice(b)) || fflush(stdout) != 0)
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

static void write_page(const struct report_grid *g, enum render_svg_kind chart, struct buf *b)
{
    struct buf footer;

    buf_init(&footer, 256);
    buf_add_str(&footer, "Tollgate " PACKAGE_VERSION ", ");
    text_time(&footer, clock_unix_ms() / 1000);
    render_html_file(g, chart, buf_slice(&footer), b);
    buf_fini(&footer);
}

int cli_write_grid(const struct report_grid *g, enum format format, enum render_svg_kind chart)
{
    struct render_style style;
    struct buf b;
    int code;

    if (format == FORMAT_JSON)
        return write_json(g);
    cli_style(&style);
    buf_init(&b, OUTPUT_BYTES);
    b.sink = to_stdout;
    if (format == FORMAT_CSV)
        render_csv(g, &b);
    else if (format == FORMAT_CHART)
        render_chart(g, &style, &b);
    else if (format == FORMAT_SVG)
        render_svg_file(g, chart, &b);
    else if (format == FORMAT_HTML)
        write_page(g, chart, &b);
    else
        render_table(g, &style, &b);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

void cli_add_json(struct buf *b, json_t *json)
{
    json_add(b, json, JSON_INDENT(2));
}

json_t *cli_json_text(struct slice text)
{
    return text.len > 0 ? json_text(text) : json_null();
}

json_t *cli_json_time(int64_t unix_s)
{
    json_t *json;
    struct buf b;

    if (unix_s <= 0)
        return json_null();
    buf_init(&b, 64);
    text_time_exact(&b, unix_s);
    json = json_text(buf_slice(&b));
    buf_fini(&b);
    return json;
}
