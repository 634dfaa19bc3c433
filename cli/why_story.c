/* tollgate why QUEUE-ID: what the mail log says of the message, as the collector keeps it. */
#include "cli/why_story.h"

#include <inttypes.h>
#include <sysexits.h>

#include "lib/core/mail_trace_text.h"
#include "lib/core/text.h"
#include "lib/ledger/collect_file.h"

#define LINE_BYTES 65536

static void say_event(struct why *w, const struct mail_event *e)
{
    struct buf when, line;

    buf_init(&when, 64);
    buf_init(&line, LINE_BYTES);
    text_time(&when, e->time_ms / 1000);
    mail_trace_text(e, &line);
    text_entry(&w->out, buf_slice(&when), 23, w->style.width, buf_slice(&line));
    buf_fini(&line);
    buf_fini(&when);
}

static void say_told(struct why *w, const struct why_told *told)
{
    struct mail_trace_reader r;
    struct mail_trace_head head;
    struct mail_event e;
    struct err err = {0};

    if (mail_trace_open(&r, told->trace, &head, &err) != 0)
        return;
    why_say(w, "The mail log of %.*s says:", SLICE_FMT(told->instance));
    buf_add_char(&w->out, '\n');
    while (mail_trace_next(&r, &e, &err) == 1)
        say_event(w, &e);
    if (head.left_out > 0)
        why_say(w, "(%" PRIu64 " more %s not kept.)", head.left_out,
                head.left_out == 1 ? "line is" : "lines are");
    buf_add_char(&w->out, '\n');
}

void why_story_say(struct why *w, const struct why_story *s)
{
    for (size_t i = 0; i < s->count; i++) {
        buf_add_str(&w->out, i == 0 ? "" : "\n");
        say_told(w, &s->list[i]);
    }
}

/* --- reading --------------------------------------------------------------------------------- */

struct why_telling {
    struct why *w;
    struct why_story *s;
};

static int take(void *context, const struct collect_file_story *story, struct err *err)
{
    struct why_telling *t = context;
    struct why_story *s = t->s;
    struct arena *arena = &t->w->arena;
    struct why_told told = {arena_copy(arena, story->instance), arena_copy(arena, story->trace)};
    struct mail_trace_reader r;
    struct mail_trace_head head;
    struct err damaged = {0};

    if (mail_trace_open(&r, story->trace, &head, &damaged) != 0)
        return 0;
    s->list = arena_grow(arena, s->list, s->count, &s->room, sizeof *s->list);
    if (s->list == NULL || told.instance.ptr == NULL || told.trace.ptr == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    s->list[s->count++] = told;
    return 0;
}

void why_story_read(struct why *w, struct why_story *s)
{
    struct why_telling t = {.w = w, .s = s};
    struct collect_file *c = collect_file_open(w->cli->settings->state_dir, &s->unread);
    struct collect_file_query q = {
        .queue_id = slice_str(w->typed), .to_ms = INT64_MAX, .take = take, .context = &t};

    s->is_there = c != NULL || s->unread.code != EX_NOINPUT;
    if (!s->is_there)
        s->unread = (struct err){0};
    if (c == NULL)
        return;
    TG_IGNORE(collect_file_traces(c, &q, &s->unread)); /* `unread` tells */
    collect_file_close(c);
}
