/* tollgate release: releases held messages, in order, as their limits have room. */
#include <jansson.h>
#include <stddef.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/control.h"
#include "cli/hold_log.h"
#include "cli/hold_trace.h"
#include "cli/options.h"
#include "cli/release_asked.h"
#include "cli/release_message.h"
#include "lib/core/address.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/sys/clock.h"
#include "lib/sys/relay_queue.h"

#define ARENA_BYTES ((size_t)1 << 30)
/* Numbers of messages in one request. */
#define PLACES 1000

struct release_command {
    struct cli *cli;
    const char *typed, *config_dir;
    bool quiet;
    int said; /* --gone: the place in `fates`; -1: not given */
    struct release_run run;
    struct release_asked asked;
    struct strmap by_account; /* name -> struct held_line * */
    struct held_line *lines, **last;
};

/* --- the command line ------------------------------------------------------------------------ */

static const struct options_word words[] = {
    {"D", "only messages held for this domain"},
    {"QUEUE-ID", "this message, now, even if its limit has no room"},
    {.name = NULL}};
static const char *const fates[] = {"sent", "deleted", NULL};
static const struct options_row rows[] = {
    {.name = "gone",
     OPTIONS_CHOICE,
     offsetof(struct release_command, said),
     "sent|deleted",
     "what became of QUEUE-ID, which is in no queue: sent charges it, deleted forgets it",
     .choices = fates},
    {.name = "config-dir",
     OPTIONS_TEXT,
     offsetof(struct release_command, config_dir),
     "DIR",
     "only the instance of Postfix whose main.cf is in this directory"},
    {.name = "quiet",
     OPTIONS_FLAG,
     offsetof(struct release_command, quiet),
     NULL,
     "report errors only"},
    {.name = NULL}};
static const struct options_table table = {
    .command = "release",
    .synopsis = "release [D | QUEUE-ID] [--gone sent|deleted] [--config-dir DIR] [--quiet]",
    .words = words,
    .rows = rows,
    .words_most = 1,
    .notes =
        "Charges the messages held by a limit and takes them off hold, the longest held first, "
        "as far as there is room now. A message that postsuper took off hold is charged, one "
        "that it deleted is forgotten: of a message that is in no queue any more the mail log "
        "tells. Run it as root, once a minute (systemd: tollgate-release.timer)."};

static int parse(struct release_command *w, int argc, char **argv)
{
    char **typed;
    int code = options_parse(&table, w->cli, w, argc, argv, &typed);

    if (code != EX_OK)
        return code;
    if (w->config_dir != NULL && w->config_dir[0] != '/')
        return cli_usage("release", "--config-dir: \"%s\" is not an absolute path", w->config_dir);
    w->typed = typed[0];
    if (w->said >= 0 && w->typed == NULL)
        return cli_usage("release", "--gone: name the message by its queue id");
    if (w->said >= 0)
        w->run.said = w->said == 0 ? HOLD_FATE_OUT : HOLD_FATE_DELETED;
    return EX_OK;
}

/* --- all of them ----------------------------------------------------------------------------- */

static struct held_line *line_of(struct release_command *w, struct slice account)
{
    bool added;
    void **place = strmap_find(&w->by_account, account);
    struct held_line *line;

    if (place != NULL)
        return *place;
    line = arena_alloc(&w->run.arena, sizeof *line);
    if (line == NULL)
        return NULL;
    line->account = arena_copy(&w->run.arena, account);
    place = line->account.ptr != NULL ? strmap_add(&w->by_account, line->account, &added) : NULL;
    if (place == NULL)
        return NULL;
    *place = line;
    *w->last = line;
    w->last = &line->next;
    return line;
}

/* Named by an admin on another machine: it goes now, whatever waits before it. */
static void handle_asked(struct release_command *w, struct held_line *line,
                         const struct release_message *m, const struct release_request *r)
{
    bool was_one = w->run.is_one, was_stopped = line->is_stopped;
    uint64_t before = line->released + line->left;

    w->run.is_one = true;
    line->is_stopped = false;
    release_message_handle(&w->run, line, m);
    w->run.is_one = was_one;
    line->is_stopped = was_stopped;
    if (line->released + line->left > before)
        release_asked_done(&w->asked, r, true);
}

static void handle(struct release_command *w, struct held_line *line,
                   const struct release_message *m)
{
    const struct release_request *r =
        release_request_find(&w->asked.list, slice_str(m->id), line->account, m->time_s);

    if (r != NULL)
        handle_asked(w, line, m, r);
    else
        release_message_handle(&w->run, line, m);
}

static void handle_all(struct release_command *w, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list) && !w->run.is_over; i++) {
        const json_t *o = json_array_get(list, i);
        struct release_message m;
        struct held_line *line =
            line_of(w, slice_str(json_string_value(json_object_get(o, "account"))));

        if (line != NULL && release_message_read(&w->run, o, &m))
            handle(w, line, &m);
    }
}

/* --- in which queue a message is ------------------------------------------------------------- */

static int places_send(struct release_command *w, const char *queue, json_t *numbers,
                       struct err *err)
{
    json_t *request =
        json_pack("{s:s,s:s,s:O}", "cmd", "place", "queue", queue, "numbers", numbers);
    json_t *answer = control_ask(w->run.state_dir, request, NULL, err);

    json_decref(answer);
    (void)json_array_clear(numbers);
    return answer != NULL ? 0 : -1;
}

/* What is seen on hold in this queue for the first time. */
static int places_tell(struct release_command *w, const struct hold_queue *q, const json_t *list,
                       json_t *numbers, struct err *err)
{
    int result = 0;

    for (size_t i = 0; i < json_array_size(list) && result == 0; i++) {
        struct release_message m;

        if (!release_message_read(&w->run, json_array_get(list, i), &m) || m.released ||
            m.now == NULL || m.now->queue != q || !m.now->is_on_hold ||
            strcmp(q->name, m.queue) == 0)
            continue;
        (void)json_array_append_new(numbers, json_integer(m.number));
        if (json_array_size(numbers) == PLACES)
            result = places_send(w, q->name, numbers, err);
    }
    return result == 0 && json_array_size(numbers) > 0 ? places_send(w, q->name, numbers, err)
                                                       : result;
}

static int places_tell_all(struct release_command *w, const json_t *list, struct err *err)
{
    json_t *numbers = json_array();
    int result = 0;

    for (size_t i = 0; i < w->run.queues.count && result == 0; i++)
        result = places_tell(w, &w->run.queues.list[i], list, numbers, err);
    json_decref(numbers);
    return result;
}

/* --- what was done --------------------------------------------------------------------------- */

static void add_line(const struct release_command *w, const struct held_line *line, struct buf *b)
{
    const char *between = ": ";
    const struct {
        uint64_t count;
        const char *what;
    } parts[] = {{line->released, "released"},
                 {line->left, "charged (taken off hold by hand)"},
                 {line->forgotten, "forgotten (deleted)"},
                 {line->stuck, "larger than the limit"},
                 {line->unseen, "not found in the queues"},
                 {line->unknown, "gone (no mail log tells whether sent or deleted)"},
                 {line->waiting, "waiting"}};
    uint64_t sum = 0;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        sum += parts[i].count;
    if (sum == 0)
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
        text_clock(b, w->run.now_s + line->wait_s, w->run.now_s);
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
    if (b.len == 0 && w->run.code == EX_OK)
        buf_addf(&b, "No mail is held%s%s.\n", w->typed != NULL ? " for " : "",
                 w->typed != NULL ? w->typed : "");
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

/* --- which messages -------------------------------------------------------------------------- */

/* Takes those out that are not meant: has the text `wanted` under `name` who stays. */
static size_t keep(json_t *list, const char *name, struct slice wanted)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        const char *text = json_string_value(json_object_get(json_array_get(list, i), name));

        if (!slice_equal(slice_str(text), wanted))
            (void)json_array_remove(list, i);
    }
    return json_array_size(list);
}

static bool has_id(const json_t *list, const char *id)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_object_get(json_array_get(list, i), "id"));

        if (text != NULL && strcmp(text, id) == 0)
            return true;
    }
    return false;
}

/* What was typed is the queue id of a held message, or else a domain. */
static int choose(struct release_command *w, json_t *list, struct err *err)
{
    struct slice domain;

    w->run.is_one = has_id(list, w->typed);
    if (w->run.is_one) {
        (void)keep(list, "id", slice_str(w->typed));
        return 0;
    }
    if (w->run.said != HOLD_FATE_UNKNOWN)
        return err_set(err, EX_DATAERR, "no message with the queue id %s is held on this node",
                       w->typed);
    if (domain_canonical(slice_str(w->typed), &w->run.arena, &domain, err) != 0) {
        err->code = EX_USAGE;
        return err_prefix(err, "%s", w->typed);
    }
    if (keep(list, "account", domain) == 0 && strchr(w->typed, '.') == NULL)
        return err_set(err, EX_DATAERR, "no message with the queue id %s is held on this node",
                       w->typed);
    return 0;
}

static json_t *held(struct release_command *w, struct err *err)
{
    json_t *answer = control_ask(w->run.state_dir, json_pack("{s:s}", "cmd", "held"), NULL, err);

    if (answer == NULL || w->typed == NULL || choose(w, json_object_get(answer, "held"), err) == 0)
        return answer;
    json_decref(answer);
    return NULL;
}

/* A trace for each message that is gone: their number. since_s: when the oldest was held. */
static size_t traces_begin(struct release_command *w, const json_t *list, int64_t *since_s)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct release_message m;
        void **place;

        if (!release_message_read(&w->run, json_array_get(list, i), &m) ||
            !release_message_is_gone(&w->run, &m))
            continue;
        place = strmap_add(&w->run.traces, slice_str(m.id), NULL);
        if (place != NULL && *place == NULL)
            *place = arena_alloc(&w->run.arena, sizeof(struct hold_trace));
        *since_s = m.time_s < *since_s ? m.time_s : *since_s;
    }
    return w->run.traces.count;
}

/* Two held messages with one queue id: one of them is gone. */
static void traces_share(struct release_command *w, const json_t *list)
{
    struct strmap seen;
    bool added;

    strmap_init(&seen);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct slice id =
            slice_str(json_string_value(json_object_get(json_array_get(list, i), "id")));
        void **trace = strmap_find(&w->run.traces, id);

        if (trace != NULL && *trace != NULL && strmap_add(&seen, id, &added) != NULL)
            ((struct hold_trace *)*trace)->is_shared = !added;
    }
    strmap_fini(&seen);
}

/* A listing misses a message that changes its queue meanwhile. So the queues are read again before
 * the logs: what has left by then, has left its trace, too. */
static int look_for_gone(struct release_command *w, const json_t *list, struct err *err)
{
    int64_t since_s = w->run.now_s;

    if (traces_begin(w, list, &since_s) == 0)
        return 0;
    traces_share(w, list);
    if (hold_queue_read_all(&w->run.queues, &w->run.arena, &w->run.queued, err) != 0)
        return -1;
    return hold_log_read(&w->run.queues, since_s, &w->run.traces, err);
}

/* The list of held messages comes first, the queues second: a message that is missing in its queue
 * is gone or too young. */
static int look(struct release_command *w, const json_t *list, struct err *err)
{
    const struct settings *s = w->cli->settings;

    if (json_array_size(list) == 0)
        return 0;
    if (hold_queue_find_all(&w->run.queues, w->config_dir, relay_queue_exists(s) ? s->file : NULL,
                            &w->run.arena, err) != 0 ||
        hold_queue_read_all(&w->run.queues, &w->run.arena, &w->run.queued, err) != 0 ||
        look_for_gone(w, list, err) != 0)
        return -1;
    return places_tell_all(w, list, err);
}

static bool is_held(const json_t *list, const struct release_request *r)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        const struct release_requests one = {(struct release_request *)(uintptr_t)r, 1};

        if (release_request_find(&one, slice_str(json_string_value(json_object_get(o, "id"))),
                                 slice_str(json_string_value(json_object_get(o, "account"))),
                                 json_integer_value(json_object_get(o, "time"))) != NULL)
            return true;
    }
    return false;
}

/* Requests for what this node holds no longer. */
static void drop_old(struct release_command *w, const json_t *list)
{
    for (size_t i = 0; i < w->asked.list.count && w->typed == NULL; i++) {
        const struct release_request *r = &w->asked.list.items[i];

        if (!is_held(list, r))
            release_asked_done(&w->asked, r, false);
    }
}

static int work_through(struct release_command *w)
{
    struct err err = {0};
    json_t *answer, *list;

    /* Before the list of what is held, which so has every message that was asked for. */
    release_asked_read(w->run.state_dir, &w->run.arena, &w->asked);
    answer = held(w, &err);
    list = json_object_get(answer, "held");
    w->run.now_s = clock_unix_ms() / 1000;
    if (answer == NULL)
        return cli_fail(&err);
    if (look(w, list, &err) != 0) {
        json_decref(answer);
        return cli_fail(&err);
    }
    drop_old(w, list);
    handle_all(w, list);
    json_decref(answer);
    return say(w) != EX_OK ? EX_IOERR : w->run.code;
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
    w->run.state_dir = w->cli->settings->state_dir;
    return work_through(w);
}

int command_release(struct cli *cli, int argc, char **argv)
{
    struct release_command w = {.cli = cli, .said = -1};
    int code = parse(&w, argc, argv);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&w.run.arena, ARENA_BYTES);
    strmap_init(&w.run.queued);
    strmap_init(&w.run.traces);
    strmap_init(&w.by_account);
    w.last = &w.lines;
    code = run(&w);
    strmap_fini(&w.by_account);
    strmap_fini(&w.run.traces);
    strmap_fini(&w.run.queued);
    arena_fini(&w.run.arena);
    return code;
}
