#include "milter/control.h"

#include <jansson.h>
#include <string.h>

#include "lib/sys/clock.h"
#include "lib/sys/json.h"
#include "lib/sys/log.h"
#include "milter/control_asked.h"

enum {
    SILENCE_MS = 10 * 1000,
    FOLD_WAIT_MS = 10 * 1000,
    FOLD_LOOK_MS = 200, /* so often it looks whether the daemon stops */
    PAGE = 1000,
    ARENA_BYTES = 64 << 20
};

/* --- answers -------------------------------------------------------------------------------- */

/* An error that waiting does not change. */
static json_t *never(const char *text)
{
    json_t *answer = line_socket_error(text);

    (void)json_object_set_new(answer, "never", json_true());
    return answer;
}

static json_t *done(void)
{
    return json_pack("{s:b}", "ok", 1);
}

/* Waits until all of the journal is in the ledger, with what was released just now; no longer than
 * the daemon runs. */
static bool catch_up(struct control *c)
{
    uint64_t next;
    bool is_there;

    (void)journal_now(c->journal, &next);
    for (int64_t waited_ms = 0;; waited_ms += FOLD_LOOK_MS) {
        is_there = accountant_wait(c->accountant, next - 1, FOLD_LOOK_MS);
        if (is_there || waited_ms >= FOLD_WAIT_MS || line_socket_is_stopping(&c->socket))
            return is_there;
    }
}

static int held_add(json_t *list, const struct held_message *m)
{
    return json_array_append_new(
        list, json_pack("{s:o,s:I,s:o,s:I,s:b,s:o}", "id", json_text(m->queue_id), "number",
                        (json_int_t)m->number, "account", json_text(m->account), "time",
                        (json_int_t)(m->time_ms / 1000), "released", m->released ? 1 : 0, "queue",
                        json_text(m->place)));
}

static json_t *held_all(struct control *c, struct slice account)
{
    json_t *list = json_array();
    struct held_message *page;
    size_t count = PAGE;
    uint64_t after = 0;
    struct arena arena;
    struct err err = {0};
    int result = list == NULL ? -1 : 0;

    arena_init(&arena, ARENA_BYTES);
    while (result == 0 && count == PAGE) {
        arena_reset(&arena);
        result = held_list(c->held, account, after, PAGE, &arena, &page, &count, &err);
        for (size_t i = 0; result == 0 && i < count; after = page[i++].number)
            result = held_add(list, &page[i]);
    }
    arena_fini(&arena);
    if (result == 0)
        return json_pack("{s:o}", "held", list);
    json_decref(list);
    return line_socket_error(err.text[0] != '\0' ? err.text : "out of memory");
}

/* --- releasing ------------------------------------------------------------------------------ */

static json_t *wait_for(const struct throttle_verdict *v)
{
    int64_t ms = v->answer->retry_after_ms;
    struct buf name;
    json_t *answer;

    if (ms < 0)
        return never("the message is larger than its limit: raise the limit (tollgate limit set), "
                     "or delete it (postsuper -d)");
    buf_init(&name, 256);
    limit_name(v->limit, &name);
    answer = json_pack("{s:I,s:o}", "wait_s", (json_int_t)((ms + 999) / 1000), "limit",
                       json_text(buf_slice(&name)));
    buf_fini(&name);
    return answer;
}

static json_t *append(struct control *c, const struct held_message *m, enum record_kind kind,
                      int level, const char *event)
{
    struct record r = {.kind = kind, .queue_id = m->queue_id, .held_number = m->number};
    struct err err = {0};

    if (journal_append(c->journal, &r, -1, &err) != 0)
        return line_socket_error(err.text);
    log_event(level, event, LOG_TEXT("qid", m->queue_id), LOG_TEXT("account", m->account),
              LOG_NUM("held_s", (clock_unix_ms() - m->time_ms) / 1000));
    return done();
}

/* As if all limits only observed: what it wants is consumed in any case, and the answer tells
 * whether it was over. A store that cannot answer stops nothing here. */
static bool consume(struct control *c, const struct held_message *m, struct arena *arena)
{
    struct snapshot *snapshot = dispatch_snapshot(c->dispatch);
    struct limit_rules rules = *snapshot->rules;
    struct limit_answer limits;
    struct err ignored = {0};
    bool is_over = false;

    rules.observe = true;
    if (snapshot->hosted != NULL &&
        limiter_ask_held(&c->dispatch->limiter, &rules, snapshot->hosted, &m->record, arena,
                         &limits, &ignored) == 0)
        is_over = limits.tests != NULL && limits.verdict.wanted != ACTION_LOG;
    snapshot_drop(snapshot);
    return is_over;
}

/* NULL: there is room for it now, and it is consumed. */
static json_t *ask_for_room(struct control *c, const struct held_message *m, struct arena *arena)
{
    struct snapshot *snapshot = dispatch_snapshot(c->dispatch);
    struct limit_answer limits;
    struct err err = {0};
    json_t *answer = NULL;

    if (snapshot->hosted == NULL)
        answer = line_socket_error("the hosted domains could not be read yet");
    else if (limiter_ask_held(&c->dispatch->limiter, snapshot->rules, snapshot->hosted, &m->record,
                              arena, &limits, &err) != 0)
        answer = line_socket_error(err.text);
    else if (limits.tests != NULL && limits.verdict.action != ACTION_LOG)
        answer = wait_for(&limits.verdict);
    snapshot_drop(snapshot);
    return answer;
}

static json_t *release_when_it_fits(struct control *c, const struct held_message *m,
                                    struct arena *arena)
{
    json_t *answer = ask_for_room(c, m, arena);

    if (answer != NULL)
        return answer;
    return append(c, m, RECORD_RELEASE, LOG_INFO, "held message released");
}

/* An admin named it, or the MTA has let it go: it counts, over the limit if need be. */
static json_t *release_in_any_case(struct control *c, const struct held_message *m, bool by_admin,
                                   struct arena *arena)
{
    static const char *const events[2][2] = {
        {"held message left the hold queue by hand", "held message released by an admin"},
        {"held message left the hold queue by hand, over its limit",
         "held message released by an admin, over its limit"}};
    bool is_over = consume(c, m, arena);
    json_t *answer = append(c, m, RECORD_RELEASE, LOG_NOTICE, events[is_over][by_admin]);

    (void)json_object_set_new(answer, "over", json_boolean(is_over));
    return answer;
}

static json_t *release(struct control *c, const struct held_message *m, const json_t *request,
                       struct arena *arena)
{
    const char *by = json_string_value(json_object_get(request, "by"));

    if (m->released)
        return done();
    if (by == NULL)
        return release_when_it_fits(c, m, arena);
    if (strcmp(by, "admin") != 0 && strcmp(by, "mta") != 0)
        return line_socket_error("by: give admin or mta");
    return release_in_any_case(c, m, by[0] == 'a', arena);
}

static json_t *forget(struct control *c, const struct held_message *m, const json_t *request)
{
    const char *queue = json_string_value(json_object_get(request, "queue"));

    if (m->released)
        return done();
    if (queue == NULL || !slice_equal(m->place, slice_str(queue)))
        return line_socket_error(
            "only the queue that the message was seen in can say that it is gone");
    if (json_is_true(json_object_get(request, "unknown")))
        return append(c, m, RECORD_FORGET, LOG_NOTICE,
                      "held message forgotten: it is in no queue, and no mail log tells whether it "
                      "was sent or deleted");
    return append(c, m, RECORD_FORGET, LOG_INFO, "held message forgotten: it was deleted");
}

/* --- where they are ------------------------------------------------------------------------- */

static json_t *place_one(struct control *c, const json_t *number, struct slice queue,
                         struct arena *arena)
{
    struct record r = {
        .kind = RECORD_PLACE, .place = queue, .held_number = (uint64_t)json_integer_value(number)};
    struct held_message m;
    struct err err = {0};
    int found;

    arena_reset(arena);
    found = held_find(c->held, r.held_number, arena, &m, &err);
    if (found < 0)
        return line_socket_error(err.text);
    if (found == 0 || m.released || slice_equal(m.place, queue))
        return NULL;
    r.queue_id = m.queue_id;
    return journal_append(c->journal, &r, -1, &err) != 0 ? line_socket_error(err.text) : NULL;
}

static json_t *place(struct control *c, const json_t *request)
{
    const char *queue = json_string_value(json_object_get(request, "queue"));
    const json_t *numbers = json_object_get(request, "numbers");
    json_t *problem = NULL;
    struct arena arena;

    if (queue == NULL || queue[0] == '\0' || !json_is_array(numbers))
        return line_socket_error("give queue and numbers");
    arena_init(&arena, ARENA_BYTES);
    for (size_t i = 0; i < json_array_size(numbers) && problem == NULL; i++)
        problem = place_one(c, json_array_get(numbers, i), slice_str(queue), &arena);
    arena_fini(&arena);
    return problem != NULL ? problem : done();
}

/* --- requests ------------------------------------------------------------------------------- */

static json_t *with_message(struct control *c, const json_t *request, bool is_release)
{
    const char *id = json_string_value(json_object_get(request, "id"));
    json_int_t number = json_integer_value(json_object_get(request, "number"));
    struct held_message m;
    struct arena arena;
    struct err err = {0};
    json_t *answer;
    int found;

    if (id == NULL || number <= 0)
        return line_socket_error("no message: give id and number");
    arena_init(&arena, ARENA_BYTES);
    found = held_find(c->held, (uint64_t)number, &arena, &m, &err);
    if (found < 0)
        answer = line_socket_error(err.text);
    else if (found == 0 || !slice_equal(m.queue_id, slice_str(id)))
        answer = line_socket_error("no such message is held");
    else
        answer = is_release ? release(c, &m, request, &arena) : forget(c, &m, request);
    arena_fini(&arena);
    return answer;
}

static json_t *sources(struct control *c)
{
    struct buf why;
    json_t *answer;

    buf_init(&why, sizeof(struct err));
    maintenance_kept_why(c->maintenance, &why);
    answer = json_pack("{s:o}", "kept_why", json_text(buf_slice(&why)));
    buf_fini(&why);
    return answer;
}

static json_t *asked(struct control *c, const char *cmd, const json_t *request)
{
    struct snapshot *snapshot = dispatch_snapshot(c->dispatch);
    json_t *answer = strcmp(cmd, "asked_done") == 0
                         ? control_asked_done(snapshot->settings, request)
                         : control_asked_list(snapshot->settings);

    snapshot_drop(snapshot);
    return answer;
}

static json_t *handle(void *context, const json_t *request)
{
    struct control *c = context;
    const char *cmd = json_string_value(json_object_get(request, "cmd"));

    if (cmd == NULL)
        return line_socket_error("no command: give held, place, release, forget or sources");
    if (strcmp(cmd, "sources") == 0)
        return sources(c);
    if (slice_starts(slice_str(cmd), SLICE("asked")))
        return asked(c, cmd, request);
    if (!catch_up(c))
        return line_socket_error("the ledger is behind the journal: see tollgate doctor");
    if (strcmp(cmd, "held") == 0)
        return held_all(c, slice_str(json_string_value(json_object_get(request, "account"))));
    if (strcmp(cmd, "release") == 0 || strcmp(cmd, "forget") == 0)
        return with_message(c, request, cmd[0] == 'r');
    if (strcmp(cmd, "place") == 0)
        return place(c, request);
    return line_socket_error("unknown command: give held, place, release, forget or sources");
}

/* --- life ----------------------------------------------------------------------------------- */

int control_start(struct control *c, struct dispatch *dispatch, struct accountant *accountant,
                  struct maintenance *maintenance, const char *state_dir, struct err *err)
{
    c->dispatch = dispatch;
    c->journal = dispatch->journal;
    c->accountant = accountant;
    c->maintenance = maintenance;
    c->socket = (struct line_socket){
        .name = "control", .mode = 0600, .silence_ms = SILENCE_MS, .answer = handle, .context = c};
    c->held = held_open(state_dir, err);
    return c->held != NULL ? line_socket_start(&c->socket, state_dir, err) : -1;
}

void control_stop(struct control *c)
{
    if (c->dispatch == NULL)
        return;
    line_socket_stop(&c->socket);
    held_close(c->held);
    c->dispatch = NULL;
}
