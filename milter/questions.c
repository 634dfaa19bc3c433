#include "milter/questions.h"

#include <string.h>
#include <sysexits.h>

#include "lib/core/mail_trace.h"
#include "lib/ledger/ledger_file.h"
#include "lib/ledger/messages_read.h"
#include "lib/sys/json.h"

enum { SILENCE_MS = 2000, PAGE = 1000, ARENA_BYTES = 64 << 20 };

static void set(json_t *o, const char *name, json_t *value)
{
    (void)json_object_set_new(o, name, value);
}

/* --- held ------------------------------------------------------------------------------------ */

struct question_held {
    struct slice id;
    struct arena found; /* what is kept of the message */
    bool is_found, is_released;
    struct slice account;
    uint64_t number;
    int64_t time_ms;
    size_t place, of; /* in the queue of its account */
};

static int find(struct question_held *h, const struct held_message *m)
{
    if (!slice_equal(m->queue_id, h->id))
        return 0;
    h->is_found = true;
    h->is_released = m->released;
    h->number = m->number;
    h->time_ms = m->time_ms;
    arena_reset(&h->found);
    h->account = arena_copy(&h->found, m->account);
    return h->account.ptr != NULL ? 0 : -1;
}

/* Those of its account come by ascending number. */
static int rank(struct question_held *h, const struct held_message *m)
{
    if (m->released)
        return 0;
    h->of++;
    h->place += m->number <= h->number;
    return 0;
}

static int each_held(struct questions *q, struct slice account, struct question_held *h,
                     int (*take)(struct question_held *h, const struct held_message *m))
{
    struct held_message *page;
    size_t count = PAGE;
    uint64_t after = 0;
    struct arena arena;
    struct err err = {0};
    int result = 0;

    arena_init(&arena, ARENA_BYTES);
    while (result == 0 && count == PAGE) {
        arena_reset(&arena);
        result = held_list(q->held, account, after, PAGE, &arena, &page, &count, &err);
        for (size_t i = 0; result == 0 && i < count; after = page[i++].number)
            result = take(h, &page[i]);
    }
    arena_fini(&arena);
    return result;
}

/* NULL: the ledger cannot be read. */
static json_t *held(struct questions *q, struct slice id)
{
    struct question_held h = {.id = id};
    json_t *o = NULL;

    arena_init(&h.found, ARENA_BYTES);
    if (each_held(q, SLICE_NONE, &h, find) == 0 &&
        (!h.is_found || each_held(q, h.account, &h, rank) == 0))
        o = h.is_found
                ? json_pack("{s:o, s:I, s:b, s:I, s:I}", "account", json_text(h.account), "since",
                            (json_int_t)(h.time_ms / 1000), "released", (int)h.is_released, "place",
                            (json_int_t)h.place, "of", (json_int_t)h.of)
                : json_null();
    arena_fini(&h.found);
    return o;
}

/* --- counted --------------------------------------------------------------------------------- */

static int add_row(void *context, const struct message_row *row, struct err *err)
{
    json_t *list = context, *o;

    if (json_array_size(list) > QUESTIONS_ROWS)
        return 0;
    o = json_pack("{s:I, s:I, s:I, s:b, s:s, s:o, s:o, s:I, s:I, s:I}", "number",
                  (json_int_t)row->number, "time", (json_int_t)(row->time_ms / 1000), "size",
                  (json_int_t)row->size, "was_held", (int)row->was_held, "class",
                  messages_read_class(row->kind), "account", json_text(row->account), "user",
                  json_text(row->user), "users", (json_int_t)row->users, "recipients",
                  (json_int_t)row->recipients, "bytes", (json_int_t)row->bytes);
    return json_array_append_new(list, o) == 0 ? 0 : err_set(err, EX_OSERR, "out of memory");
}

/* One more than may be answered tells that there are more. */
static void add_counted(const struct questions *q, struct slice id, json_t *o)
{
    struct messages_query query = {
        .settings = q->settings, .to_ms = INT64_MAX, .queue_id = id, .kind = -1};
    json_t *list = json_array();
    struct messages_known known;
    struct err err = {0};
    bool more = false;

    if (messages_read(&query, add_row, list, &known, &err) != 0) {
        json_decref(list);
        list = json_null();
    } else if (json_array_size(list) > QUESTIONS_ROWS) {
        (void)json_array_remove(list, QUESTIONS_ROWS);
        more = true;
    }
    set(o, "counted", list);
    set(o, "more", json_boolean(more));
}

/* --- the question ---------------------------------------------------------------------------- */

static json_t *why(struct questions *q, const char *id)
{
    int64_t doubtful_s = 0;
    int doubtful = ledger_file_is_doubtful(q->settings->state_dir, id, &doubtful_s);
    json_t *o = json_object(), *of_held = held(q, slice_str(id));

    set(o, "node", json_string(q->settings->node));
    set(o, "held_known", json_boolean(of_held != NULL));
    set(o, "held", of_held != NULL ? of_held : json_null());
    set(o, "in_doubt", doubtful < 0 ? json_null() : json_boolean(doubtful == 1));
    set(o, "in_doubt_since", json_integer(doubtful_s));
    add_counted(q, slice_str(id), o);
    return o;
}

static json_t *answer(void *context, const json_t *request)
{
    const char *cmd = json_string_value(json_object_get(request, "cmd"));
    const char *id = json_string_value(json_object_get(request, "id"));

    if (cmd == NULL || strcmp(cmd, "why") != 0)
        return line_socket_error("unknown command: give why");
    if (!mail_trace_is_id(slice_str(id)))
        return line_socket_error("id: give a queue id");
    return why(context, id);
}

/* --- life ------------------------------------------------------------------------------------ */

int questions_start(struct questions *q, const struct settings *s, struct err *err)
{
    q->settings = s;
    q->socket = (struct line_socket){.name = "questions",
                                     .mode = 0660,
                                     .silence_ms = SILENCE_MS,
                                     .answer = answer,
                                     .context = q};
    q->held = held_open(s->state_dir, err);
    return q->held != NULL ? line_socket_start(&q->socket, s->state_dir, err) : -1;
}

void questions_stop(struct questions *q)
{
    if (q->settings == NULL)
        return;
    line_socket_stop(&q->socket);
    held_close(q->held);
    q->settings = NULL;
}
