#include "cli/release_message.h"

#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/control.h"

/* The MTA may still be about to write a message that is younger to its hold queue. */
#define YOUNG_S 120
/* A message in the queue that arrived later than the held one has reused its queue id. Up to this
 * difference it is the same message: a clock was set. */
#define SAME_S 120
/* How long a message that is in no queue stays listed if no log tells what became of it. */
#define UNKNOWN_S ((int64_t)7 * 86400)

/* --- where it is ----------------------------------------------------------------------------- */

static bool was_read(const struct release_run *w, const char *queue)
{
    for (size_t i = 0; i < w->queues.count; i++) {
        if (strcmp(w->queues.list[i].name, queue) == 0)
            return true;
    }
    return false;
}

/* Where the message is now: in the queue that it was seen in or, where that is not looked at, in
 * whichever. A message that arrived later has only its queue id. */
static const struct queued *find(const struct release_run *w, const struct release_message *m)
{
    void **place = strmap_find(&w->queued, slice_str(m->id));
    bool is_known = was_read(w, m->queue);

    for (const struct queued *at = place != NULL ? *place : NULL; at != NULL; at = at->next) {
        if (at->arrival_s <= m->time_s + SAME_S &&
            (!is_known || strcmp(at->queue->name, m->queue) == 0))
            return at;
    }
    return NULL;
}

bool release_message_read(const struct release_run *w, const json_t *o, struct release_message *m)
{
    const char *queue = json_string_value(json_object_get(o, "queue"));

    *m = (struct release_message){.id = json_string_value(json_object_get(o, "id")),
                                  .number = json_integer_value(json_object_get(o, "number")),
                                  .time_s = json_integer_value(json_object_get(o, "time")),
                                  .released = json_is_true(json_object_get(o, "released")),
                                  .queue = queue != NULL ? queue : ""};
    if (m->id == NULL)
        return false;
    m->now = find(w, m);
    return true;
}

/* --- what follows ---------------------------------------------------------------------------- */

static int fail(struct release_run *w, const struct err *err)
{
    w->code = cli_fail(err);
    return -1;
}

/* Asks tollgated; `more` of the request is taken over, and may be NULL. */
static json_t *ask(struct release_run *w, const char *command, const struct release_message *m,
                   json_t *more, bool *never, struct err *err)
{
    json_t *request =
        json_pack("{s:s,s:s,s:I}", "cmd", command, "id", m->id, "number", (json_int_t)m->number);

    if (more != NULL)
        (void)json_object_update(request, more);
    json_decref(more);
    return control_ask(w->state_dir, request, never, err);
}

/* It was deleted, or no log tells what became of it. */
static void forget(struct release_run *w, struct held_line *line, const struct release_message *m,
                   bool is_unknown)
{
    struct err err = {0};
    json_t *answer =
        ask(w, "forget", m,
            json_pack("{s:s,s:b}", "queue", m->queue, "unknown", is_unknown ? 1 : 0), NULL, &err);

    if (answer == NULL)
        w->is_over = fail(w, &err) != 0;
    else
        line->forgotten++;
    json_decref(answer);
}

/* It is charged: the MTA has to release it, now or at the next run. */
static void take_off_hold(struct release_run *w, struct held_line *line,
                          const struct release_message *m)
{
    struct err err = {0};

    if (hold_queue_release(m->now->queue, m->id, &err) != 0)
        w->is_over = fail(w, &err) != 0;
    else
        line->released++;
}

static void wait_for_room(struct release_run *w, struct held_line *line, const json_t *answer)
{
    line->is_stopped = true;
    line->waiting++;
    line->wait_s = json_integer_value(json_object_get(answer, "wait_s"));
    line->limit =
        arena_copy(&w->arena, slice_str(json_string_value(json_object_get(answer, "limit"))));
}

/* A message that never fits does not delay the others. */
static void refused(struct release_run *w, struct held_line *line, const struct release_message *m,
                    bool never, struct err *err)
{
    (void)err_prefix(err, "%.*s, message %s", SLICE_FMT(line->account), m->id);
    w->is_over = fail(w, err) != 0 && !never;
    line->stuck += never ? 1 : 0;
}

/* An admin who names a message wants it out now. */
static void release(struct release_run *w, struct held_line *line, const struct release_message *m)
{
    json_t *by = w->is_one ? json_pack("{s:s}", "by", "admin") : NULL;
    struct err err = {0};
    bool never;
    json_t *answer = ask(w, "release", m, by, &never, &err);

    if (answer == NULL)
        refused(w, line, m, never, &err);
    else if (json_is_true(json_object_get(answer, "ok")))
        take_off_hold(w, line, m);
    else
        wait_for_room(w, line, answer);
    json_decref(answer);
}

/* Somebody took it off hold (postsuper -H, -r): it is on its way, or delivered, and is charged. */
static void charge(struct release_run *w, struct held_line *line, const struct release_message *m)
{
    struct err err = {0};
    json_t *answer = ask(w, "release", m, json_pack("{s:s}", "by", "mta"), NULL, &err);

    if (answer == NULL)
        w->is_over = fail(w, &err) != 0;
    else
        line->left++;
    json_decref(answer);
}

/* The queue that it was seen in could not be read; NULL: it could, or none is known. */
static const struct err *problem_of(const struct release_run *w, const struct release_message *m)
{
    for (size_t i = 0; i < w->queues.count; i++) {
        const struct hold_queue *q = &w->queues.list[i];

        if (q->problem.code != 0 && (m->queue[0] == '\0' || strcmp(q->name, m->queue) == 0))
            return &q->problem;
    }
    return NULL;
}

bool release_message_is_gone(const struct release_run *w, const struct release_message *m)
{
    if (m->now != NULL || m->released || problem_of(w, m) != NULL)
        return false;
    return m->queue[0] != '\0' ? was_read(w, m->queue) : w->queues.is_every;
}

static enum hold_fate fate_of(const struct release_run *w, const struct release_message *m)
{
    void **trace = strmap_find(&w->traces, slice_str(m->id));

    if (w->is_one && w->said != HOLD_FATE_UNKNOWN)
        return w->said;
    return trace != NULL && *trace != NULL ? hold_trace_fate(*trace, slice_str(m->id))
                                           : HOLD_FATE_UNKNOWN;
}

/* The MTA may be about to write a young message to its hold queue. */
static void gone(struct release_run *w, struct held_line *line, const struct release_message *m)
{
    enum hold_fate fate = fate_of(w, m);

    if (fate == HOLD_FATE_OUT)
        charge(w, line, m);
    else if (w->now_s - m->time_s < YOUNG_S && w->said == HOLD_FATE_UNKNOWN)
        line->waiting++;
    else if (fate == HOLD_FATE_DELETED)
        forget(w, line, m, false);
    else if (w->now_s - m->time_s > UNKNOWN_S)
        forget(w, line, m, true);
    else if (m->queue[0] != '\0')
        line->unknown++;
    else
        line->unseen++;
}

/* In none of the queues that could be read. */
static void missing(struct release_run *w, struct held_line *line, const struct release_message *m)
{
    const struct err *problem = problem_of(w, m);

    if (release_message_is_gone(w, m)) {
        gone(w, line, m);
    } else if (problem != NULL) {
        line->waiting++;
        if (w->code == EX_OK)
            (void)fail(w, problem);
    } else if (w->now_s - m->time_s < YOUNG_S) {
        line->waiting++;
    } else {
        line->unseen++;
    }
}

/* What an admin says about a message that is in a queue is wrong. */
static bool is_said_wrong(struct release_run *w, const struct release_message *m)
{
    struct err err = {0};

    if (w->said == HOLD_FATE_UNKNOWN || m->now == NULL)
        return false;
    (void)err_set(&err, EX_DATAERR,
                  "--gone: message %s is still in the queue. Fix: leave out --gone to release it, "
                  "or delete it with postsuper -d",
                  m->id);
    (void)fail(w, &err);
    return true;
}

void release_message_handle(struct release_run *w, struct held_line *line,
                            const struct release_message *m)
{
    if (is_said_wrong(w, m))
        return;
    if (m->now == NULL && !m->released)
        missing(w, line, m);
    else if (m->now == NULL || (m->released && !m->now->is_on_hold))
        return;
    else if (m->released)
        take_off_hold(w, line, m);
    else if (!m->now->is_on_hold)
        charge(w, line, m);
    else if (line->is_stopped)
        line->waiting++;
    else
        release(w, line, m);
}
