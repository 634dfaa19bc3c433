#include "cli/why_counted.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/sys/json.h"

#define LINE_BYTES 4096

struct why_counting {
    struct why *w;
    struct why_counted *c;
};

static int take_row(void *context, const struct message_row *row, struct err *err)
{
    struct why_counting *k = context;
    struct why_counted *c = k->c;
    struct arena *arena = &k->w->arena;
    struct message_row *grown = arena_grow(arena, c->list, c->count, &c->room, sizeof *grown);

    if (grown == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    c->list = grown;
    grown[c->count] = *row;
    grown[c->count].account = arena_copy(arena, row->account);
    grown[c->count].user = arena_copy(arena, row->user);
    grown[c->count].queue_id = slice_str(k->w->typed);
    c->count++;
    return 0;
}

void why_counted_read(struct why *w, struct why_counted *c)
{
    struct messages_query query = {.settings = w->cli->settings,
                                   .to_ms = INT64_MAX,
                                   .queue_id = slice_str(w->typed),
                                   .kind = -1};
    struct why_counting k = {w, c};
    struct messages_known known;
    struct err err = {0};

    *c = (struct why_counted){.count = 0};
    if (messages_read(&query, take_row, &k, &known, &err) != 0 && err.code != EX_NOINPUT)
        c->unread = err;
}

/* The end of the rows of the same message as the first. */
static size_t message_end(const struct why_counted *c, size_t from)
{
    size_t end = from;

    while (end < c->count && c->list[end].number == c->list[from].number)
        end++;
    return end;
}

static void say_head(struct why *w, const struct message_row *row)
{
    struct buf b;

    buf_init(&b, LINE_BYTES);
    buf_add_str(&b, row->was_held ? "It was released and counted on this node at "
                                  : "It was accepted and counted on this node at ");
    text_time(&b, row->time_ms / 1000);
    buf_add_str(&b, ", ");
    format_count(&b, row->size);
    buf_add_str(&b, row->size == 1 ? " byte, as:" : " bytes, as:");
    why_say_text(w, buf_slice(&b));
    buf_fini(&b);
}

/* "out of example.com (alice@example.com): 3 recipients, 24,680 bytes" */
static void say_row(struct why *w, const struct message_row *row)
{
    struct buf b;

    buf_init(&b, LINE_BYTES);
    buf_addf(&b, "%s, %.*s", messages_read_class(row->kind), SLICE_FMT(row->account));
    if (row->users == 1) {
        buf_add_str(&b, " (");
        format_text(&b, row->user);
        buf_add_char(&b, ')');
    }
    buf_add_str(&b, ": ");
    format_count(&b, row->recipients);
    buf_add_str(&b, row->recipients == 1 ? " recipient, " : " recipients, ");
    format_count(&b, row->bytes);
    buf_add_str(&b, row->bytes == 1 ? " byte" : " bytes");
    text_wrap(&w->out, 2, true, w->style.width, buf_slice(&b));
    buf_fini(&b);
}

void why_counted_say(struct why *w, const struct why_counted *c)
{
    for (size_t i = 0, end; i < c->count; i = end) {
        end = message_end(c, i);
        say_head(w, &c->list[i]);
        for (size_t at = i; at < end; at++)
            say_row(w, &c->list[at]);
        buf_add_char(&w->out, '\n');
    }
}

static json_t *row_json(const struct message_row *row)
{
    return json_pack("{s:s, s:o, s:o, s:I, s:I, s:I}", "class", messages_read_class(row->kind),
                     "account", json_text(row->account), "user", json_text(row->user), "users",
                     (json_int_t)row->users, "recipients", (json_int_t)row->recipients, "bytes",
                     (json_int_t)row->bytes);
}

json_t *why_counted_json(const struct why_counted *c)
{
    json_t *list = json_array();

    if (c->unread.code != 0) {
        json_decref(list);
        return json_null();
    }
    for (size_t i = 0, end; i < c->count; i = end) {
        json_t *charged = json_array();

        end = message_end(c, i);
        for (size_t at = i; at < end; at++)
            (void)json_array_append_new(charged, row_json(&c->list[at]));
        (void)json_array_append_new(list, json_pack("{s:o, s:I, s:b, s:o}", "time",
                                                    cli_json_time(c->list[i].time_ms / 1000),
                                                    "size", (json_int_t)c->list[i].size, "was_held",
                                                    (int)c->list[i].was_held, "charged", charged));
    }
    return list;
}
