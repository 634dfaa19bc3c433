/* tollgate top: who sends now, which limits are nearly full, what was stopped; again and again. */
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/top_screen.h"
#include "lib/core/format.h"
#include "lib/sys/clock.h"

#define SCREEN_BYTES ((size_t)16 << 20)
#define INTERVAL_MAX 3600

struct top {
    struct cli *cli;
    uint64_t interval_s;
    bool once;
    int format;
    int64_t read_ms; /* when the last reading began */
    struct top_data data;
    struct arena arena; /* of one picture */
    struct buf screen;
    struct termios before;
    struct winsize size; /* of the last picture; another one is drawn on an empty screen */
    bool has_keys;       /* stdin is a terminal, and `before` is how it was */
};

/* Only for signals, which know nothing else. */
static volatile sig_atomic_t ended;

enum { TOP_TEXT, TOP_JSON };

static const char *const formats[] = {"text", "json", NULL};

static const struct options_word words[] = {{.name = NULL}};
static const struct options_row option_rows[] = {
    {.name = "interval",
     OPTIONS_NUMBER,
     offsetof(struct top, interval_s),
     "SECONDS",
     "time between two readings (2)",
     .least = 1,
     .most = INTERVAL_MAX},
    {.name = "once",
     OPTIONS_FLAG,
     offsetof(struct top, once),
     NULL,
     "one picture, after one interval; the default for text if the output is not a terminal"},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct top, format),
     "FORMAT",
     "text (default) or json: each picture as an object on a line, again and again",
     .choices = formats},
    {.name = NULL}};
static const struct options_table table = {
    .command = "top",
    .synopsis = "top [--interval SECONDS] [--once] [--format text|json]",
    .words = words,
    .rows = option_rows,
    .notes = "Who sends most, which limits are nearest to full, and the latest violations. q or ^C "
             "ends it."};

/* --- the terminal ---------------------------------------------------------------------------- */

static void end(int signal)
{
    (void)signal;
    ended = 1;
}

static void nothing(int signal)
{
    (void)signal;
}

static void put(const char *text)
{
    (void)fputs(text, stdout);
    (void)fflush(stdout);
}

/* An empty screen of its own, without cursor, that cuts lines rather than break them; keys come at
 * once. */
static void terminal_take(struct top *t)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction act = {.sa_handler = end};
    struct termios keys;

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        (void)sigaction(ends[i], &act, NULL);
    act.sa_handler = nothing; /* but it ends the waiting, so that the new size is drawn */
    (void)sigaction(SIGWINCH, &act, NULL);
    t->has_keys = tcgetattr(STDIN_FILENO, &t->before) == 0;
    if (t->has_keys) {
        keys = t->before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    put("\033[?1049h\033[?25l\033[?7l\033[H\033[J");
}

static void terminal_give_back(const struct top *t)
{
    if (t->has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
    put("\033[H\033[2J\033[?7h\033[?25h\033[?1049l");
}

/* Until the time is over, a key is pressed, or a signal comes. */
static void wait_for_key(struct top *t)
{
    struct pollfd p = {.fd = t->has_keys ? STDIN_FILENO : -1, .events = POLLIN};
    char key;

    if (poll(&p, 1, (int)t->interval_s * 1000) != 1)
        return;
    if (read(STDIN_FILENO, &key, 1) != 1)
        t->has_keys = false; /* closed: it would be ready for ever */
    else if (key == 'q' || key == 'Q')
        ended = 1;
}

static struct winsize terminal_size(void)
{
    struct winsize size = {0};

    TG_IGNORE(ioctl(STDOUT_FILENO, TIOCGWINSZ, &size)); /* unknown is 0 */
    return size;
}

/* --- readings -------------------------------------------------------------------------------- */

static int read_now(struct top *t, struct err *err)
{
    t->read_ms = clock_monotonic_ms();
    return top_data_read(&t->data, err);
}

/* The interval is from one beginning to the next: with many domains a reading takes part of it. But
 * the store has a rest. */
static int read_next(struct top *t, struct err *err)
{
    int64_t interval_ms = (int64_t)t->interval_s * 1000, rest_ms = interval_ms / 4,
            left_ms = t->read_ms + interval_ms - clock_monotonic_ms();

    clock_sleep_ms(left_ms > rest_ms ? left_ms : rest_ms);
    return read_now(t, err);
}

/* --- pictures -------------------------------------------------------------------------------- */

static void draw_text(struct top *t, unsigned rows)
{
    struct render_style style;

    cli_style(&style);
    arena_reset(&t->arena);
    buf_reset(&t->screen);
    top_screen(&t->data, &style, rows, clock_unix_ms() / 1000, &t->arena, &t->screen);
}

/* Each line is drawn over the old one, as many as there is room for. */
static int draw(struct top *t, const struct err *err)
{
    struct winsize size = terminal_size();
    bool is_same = size.ws_row == t->size.ws_row && size.ws_col == t->size.ws_col;
    unsigned rows = size.ws_row;
    struct slice rest, line;
    struct buf out;
    int code;

    draw_text(t, rows > 0 ? rows : 24);
    rest = buf_slice(&t->screen);
    buf_init(&out, SCREEN_BYTES);
    buf_add_str(&out, is_same ? "\033[H" : "\033[H\033[2J");
    t->size = size;
    if (err->code != 0) {
        format_text(&out, slice_str(err->text));
        buf_add_str(&out, "\033[K\n");
    }
    for (unsigned i = 1; (rows == 0 || i < rows) && slice_cut(&rest, '\n', &line); i++) {
        buf_add(&out, line);
        buf_add_str(&out, "\033[K\n");
    }
    buf_add_str(&out, "\033[J");
    code = cli_write(&out);
    buf_fini(&out);
    return code;
}

/* If the store goes away, the error is shown above until it is back. */
static int watch(struct top *t)
{
    int code = EX_OK;

    terminal_take(t);
    while (ended == 0 && code == EX_OK) {
        struct err err = {0};

        TG_IGNORE(read_now(t, &err)); /* the screen shows the error */
        code = draw(t, &err);
        if (ended == 0)
            wait_for_key(t);
    }
    terminal_give_back(t);
    return code;
}

/* A line after each interval; of a store that cannot be read it has the error. */
static int stream(struct top *t)
{
    int code;

    do {
        struct err err = {0};

        TG_IGNORE(read_next(t, &err)); /* the line tells */
        if (err.code != 0 && t->once)
            return cli_fail(&err);
        arena_reset(&t->arena);
        buf_reset(&t->screen);
        top_json(&t->data, &err, clock_unix_ms() / 1000, &t->arena, &t->screen);
        code = cli_write(&t->screen);
    } while (code == EX_OK && !t->once);
    return code;
}

static int once(struct top *t)
{
    struct err err = {0};

    if (read_next(t, &err) != 0)
        return cli_fail(&err);
    draw_text(t, 0);
    return cli_write(&t->screen);
}

static int show(struct top *t)
{
    struct err err = {0};

    if (t->format == TOP_TEXT && !t->once && isatty(STDOUT_FILENO) != 0)
        return watch(t);
    if (read_now(t, &err) != 0) /* the next one gives the first rates */
        return cli_fail(&err);
    return t->format == TOP_JSON ? stream(t) : once(t);
}

int command_top(struct cli *cli, int argc, char **argv)
{
    struct top t = {.cli = cli, .interval_s = 2};
    char **none;
    int code = options_parse(&table, cli, &t, argc, argv, &none);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&t.arena, SCREEN_BYTES);
    buf_init(&t.screen, SCREEN_BYTES);
    code = top_data_open(&t.data, cli);
    if (code == EX_OK)
        code = show(&t);
    top_data_close(&t.data);
    buf_fini(&t.screen);
    arena_fini(&t.arena);
    return code;
}
