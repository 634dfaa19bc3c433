/* tollgate release: releases held messages, in order, as their limits have room. */
#include <jansson.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/control.h"
#include "cli/hold_queue.h"
#include "cli/text.h"
#include "lib/core/address.h"
#include "lib/core/format.h"
#include "lib/sys/clock.h"
#include "lib/sys/relay_queue.h"

#define ARENA_BYTES ((size_t)1 << 30)
/* The MTA may still be about to write a message that is younger to its hold queue. */
#define YOUNG_S 120
/* A message in the queue that arrived later than the held one has reused its queue id. Up to this
 * difference it is the same message: a clock was set. */
#define SAME_S 120

static const char help[] =
    "usage: tollgate release [D] [--config-dir DIR] [--quiet]\n"
    "\n"
    "  D                 only messages held for this domain\n"
    "  --config-dir DIR  the folder of Postfix's main.cf, if not the default one\n"
    "  --quiet           report errors only\n"
    "\n"
    "Charges the messages held by a limit and takes them off hold, the longest held first, as far\n"
    "as there is room now. Messages that are no longer on hold are forgotten and never charged.\n"
    "Run it as root, once a minute (systemd: tollgate-release.timer).\n";

enum release_option { OPT_CONFIG_DIR = 256, OPT_QUIET };

static const struct option options[] = {{"config-dir", required_argument, NULL, OPT_CONFIG_DIR},
                                        {"quiet", no_argument, NULL, OPT_QUIET},
                                        {NULL, 0, NULL, 0}};

/* One account's line of held messages. */
struct held_line {
    struct held_line *next;
    struct slice account;
    uint64_t released, forgotten, waiting, stuck;
    bool is_stopped;    /* its next message has to wait: */
    int64_t wait_s;     /* for how long */
    struct slice limit; /* for which limit */
};

struct release_command {
    struct cli *cli;
    const char *typed;
    struct hold_queues queues;
    bool quiet;

    int64_t now_s;
    struct strmap on_hold; /* id -> struct on_hold * */
    struct strmap by_account;
    struct held_line *lines, **last;
    bool is_over; /* nothing more can be done */
    int code;
    struct arena arena;
};

struct release_message {
    const char *id;
    int64_t number; /* of its record in tollgated's journal */
    int64_t time_s; /* held since, Unix time */
    bool released;  /* charged already */
};

/* --- the command line ------------------------------------------------------------------------ */

static bool set_option(struct release_command *w, int id)
{
    if (id == OPT_QUIET) {
        w->quiet = true;
        return true;
    }
    w->queues.config_dir = optarg;
    if (optarg[0] == '/')
        return true;
    (void)cli_usage("release", "--config-dir: \"%s\" is not an absolute path", optarg);
    return false;
}

static int parse(struct release_command *w, int argc, char **argv)
{
    int id;

    while ((id = cli_option_next(w->cli, help, argc, argv, options)) != OPTION_END) {
        if (id == OPTION_HELP)
            return OPTION_HELP;
        if (id == OPTION_WRONG || !set_option(w, id))
            return EX_USAGE;
    }
    if (optind + 1 < argc)
        return cli_usage("release", "unexpected argument \"%s\": give one domain",
                         argv[optind + 1]);
    w->typed = optind < argc ? argv[optind] : NULL;
    return EX_OK;
}

/* --- one message ----------------------------------------------------------------------------- */

static int fail(struct release_command *w, const struct err *err)
{
    w->code = cli_fail(err);
    return -1;
}

static json_t *ask(struct release_command *w, const char *command, const struct release_message *m,
                   bool *never, struct err *err)
{
    json_t *request =
        json_pack("{s:s,s:s,s:I}", "cmd", command, "id", m->id, "number", (json_int_t)m->number);

    return control_ask(w->cli->settings->state_dir, request, never, err);
}

static void forget(struct release_command *w, struct held_line *line,
                   const struct release_message *m)
{
    struct err err = {0};
    json_t *answer;

    if (m->released)
        return;
    if (w->now_s - m->time_s < YOUNG_S) {
        line->waiting++;
        return;
    }
    answer = ask(w, "forget", m, NULL, &err);
    if (answer == NULL)
        w->is_over = fail(w, &err) != 0;
    else
        line->forgotten++;
    json_decref(answer);
}

/* It is charged: the MTA has to release it, now or at the next run. */
static void take_off_hold(struct release_command *w, struct held_line *line,
                          const struct release_message *m, const struct on_hold *where)
{
    struct err err = {0};

    if (hold_queue_release(&w->queues, m->id, where, &err) != 0)
        w->is_over = fail(w, &err) != 0;
    else
        line->released++;
}

static void wait_for_room(struct release_command *w, struct held_line *line, const json_t *answer)
{
    line->is_stopped = true;
    line->waiting++;
    line->wait_s = json_integer_value(json_object_get(answer, "wait_s"));
    line->limit =
        arena_copy(&w->arena, slice_str(json_string_value(json_object_get(answer, "limit"))));
}

/* A message that never fits does not delay the others. */
static void refused(struct release_command *w, struct held_line *line,
                    const struct release_message *m, bool never, struct err *err)
{
    (void)err_prefix(err, "%.*s, message %s", SLICE_FMT(line->account), m->id);
    w->is_over = fail(w, err) != 0 && !never;
    line->stuck += never ? 1 : 0;
}

static void release(struct release_command *w, struct held_line *line,
                    const struct release_message *m, const struct on_hold *where)
{
    struct err err = {0};
    bool never;
    json_t *answer = ask(w, "release", m, &never, &err);

    if (answer == NULL)
        refused(w, line, m, never, &err);
    else if (json_is_true(json_object_get(answer, "ok")))
        take_off_hold(w, line, m, where);
    else
        wait_for_room(w, line, answer);
    json_decref(answer);
}

/* It is not in the relay's queue, and Postfix's could not be read. */
static void leave(struct release_command *w, struct held_line *line,
                  const struct release_message *m)
{
    if (m->released)
        return;
    line->waiting++;
    if (w->code == EX_OK)
        (void)fail(w, &w->queues.problem);
}

static void handle(struct release_command *w, struct held_line *line,
                   const struct release_message *m)
{
    void **place = strmap_find(&w->on_hold, slice_str(m->id));
    const struct on_hold *where = place == NULL ? NULL : *place;

    if (line->is_stopped)
        line->waiting += m->released ? 0 : 1;
    else if (where == NULL && w->queues.problem.code != 0)
        leave(w, line, m);
    else if (where == NULL || where->arrival_s > m->time_s + SAME_S)
        forget(w, line, m);
    else if (m->released)
        take_off_hold(w, line, m, where);
    else
        release(w, line, m, where);
}

/* --- all of them ----------------------------------------------------------------------------- */

static struct held_line *line_of(struct release_command *w, struct slice account)
{
    bool added;
    void **place = strmap_find(&w->by_account, account);
    struct held_line *line;

    if (place != NULL)
        return *place;
    line = arena_alloc(&w->arena, sizeof *line);
    if (line == NULL)
        return NULL;
    line->account = arena_copy(&w->arena, account);
    place = line->account.ptr != NULL ? strmap_add(&w->by_account, line->account, &added) : NULL;
    if (place == NULL)
        return NULL;
    *place = line;
    *w->last = line;
    w->last = &line->next;
    return line;
}

static void handle_all(struct release_command *w, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list) && !w->is_over; i++) {
        const json_t *o = json_array_get(list, i);
        struct release_message m = {.id = json_string_value(json_object_get(o, "id")),
                                    .number = json_integer_value(json_object_get(o, "number")),
                                    .time_s = json_integer_value(json_object_get(o, "time")),
                                    .released = json_is_true(json_object_get(o, "released"))};
        struct held_line *line =
            line_of(w, slice_str(json_string_value(json_object_get(o, "account"))));

        if (line != NULL && m.id != NULL)
            handle(w, line, &m);
    }
}

static void add_line(const struct release_command *w, const struct held_line *line, struct buf *b)
{
    const char *between = ": ";
    const struct {
        uint64_t count;
        const char *what;
    } parts[] = {{line->released, "released"},
                 {line->forgotten, "forgotten (no longer on hold)"},
                 {line->stuck, "larger than the limit"},
                 {line->waiting, "waiting"}};

    if (line->released + line->forgotten + line->stuck + line->waiting == 0)
        return;
    format_text(b, line->account);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].count == 0)
            continue;
        buf_add_str(b, between);
        format_count(b, parts[i].count);
        buf_addf(b, " %s", parts[i].what);
        between = ", ";
    }
    if (line->limit.len > 0) {
        buf_add_str(b, "; room for the next at ");
        text_clock(b, w->now_s + line->wait_s, w->now_s);
        buf_add_str(b, " (in ");
        text_duration(b, line->wait_s);
        buf_addf(b, ", %.*s)", SLICE_FMT(line->limit));
    }
    buf_add_char(b, '\n');
}

static int say(struct release_command *w)
{
    struct buf b;
    int code;

    if (w->quiet)
        return EX_OK;
    buf_init(&b, (size_t)256 << 20);
    for (const struct held_line *line = w->lines; line != NULL; line = line->next)
        add_line(w, line, &b);
    if (b.len == 0 && w->code == EX_OK)
        buf_addf(&b, "No mail is held%s%s.\n", w->typed != NULL ? " for " : "",
                 w->typed != NULL ? w->typed : "");
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

static json_t *held(struct release_command *w, struct err *err)
{
    json_t *request = json_pack("{s:s}", "cmd", "held");
    struct slice domain;

    if (w->typed != NULL) {
        if (domain_canonical(slice_str(w->typed), &w->arena, &domain, err) != 0) {
            json_decref(request);
            err->code = EX_USAGE;
            (void)err_prefix(err, "%s", w->typed);
            return NULL;
        }
        (void)json_object_set_new(request, "account", json_stringn(domain.ptr, domain.len));
    }
    return control_ask(w->cli->settings->state_dir, request, NULL, err);
}

/* The list of held messages comes first, the queue second: a message that is missing in the queue
 * is gone or too young. */
static int work_through(struct release_command *w)
{
    struct err err = {0};
    json_t *answer = held(w, &err), *list = json_object_get(answer, "held");

    w->now_s = clock_unix_ms() / 1000;
    if (answer == NULL)
        return cli_fail(&err);
    if (json_array_size(list) > 0 &&
        hold_queue_read(&w->queues, &w->arena, &w->on_hold, &err) != 0) {
        json_decref(answer);
        return cli_fail(&err);
    }
    handle_all(w, list);
    json_decref(answer);
    return say(w) != EX_OK ? EX_IOERR : w->code;
}

static int run(struct release_command *w)
{
    int code = cli_load(w->cli);
    struct err err = {0};

    if (code != EX_OK)
        return code;
    if (geteuid() != 0) {
        (void)err_set(&err, EX_NOPERM,
                      "permission denied: Postfix lets only root take mail off hold. Fix: run this "
                      "as root");
        return cli_fail(&err);
    }
    if (relay_queue_exists(w->cli->settings))
        w->queues.relay_conf = w->cli->settings->file;
    return work_through(w);
}

int command_release(struct cli *cli, int argc, char **argv)
{
    struct release_command w = {.cli = cli};
    int code = parse(&w, argc, argv);

    if (code != EX_OK)
        return code == OPTION_HELP ? EX_OK : code;
    arena_init(&w.arena, ARENA_BYTES);
    strmap_init(&w.on_hold);
    strmap_init(&w.by_account);
    w.last = &w.lines;
    code = run(&w);
    strmap_fini(&w.by_account);
    strmap_fini(&w.on_hold);
    arena_fini(&w.arena);
    return code;
}
