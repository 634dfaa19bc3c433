/* tollgate why QUEUE-ID: what the mail log says of the message, as the collector keeps it. */
#include "cli/why_story.h"

#include <inttypes.h>
#include <sysexits.h>

#include "cli/collect_file.h"
#include "lib/core/format.h"
#include "lib/core/mail_trace.h"
#include "lib/core/text.h"

#define LINE_BYTES 65536

/* "WORDS VALUE" where there is a value; `first` without a comma before it. */
static void add_part(struct buf *b, const char *words, struct slice value)
{
    if (value.len == 0)
        return;
    buf_add_str(b, words);
    format_text(b, value);
}

static void add_delivery(struct buf *b, const struct mail_event *e)
{
    add_part(b, "to ", e->recipient);
    if (e->orig_to.len > 0 && !slice_equal(e->orig_to, e->recipient))
        add_part(b, " (was ", e->orig_to);
    if (e->orig_to.len > 0 && !slice_equal(e->orig_to, e->recipient))
        buf_add_char(b, ')');
    add_part(b, ": ", e->status);
    add_part(b, " by ", e->relay);
    add_part(b, ", dsn ", e->dsn);
    add_part(b, ", became ", e->other_id);
    add_part(b, ": ", e->text);
}

static void add_queued(struct buf *b, const struct mail_event *e)
{
    buf_add_str(b, "queued: from ");
    format_text(b, e->sender.len > 0 ? e->sender : SLICE("<>"));
    buf_add_str(b, ", ");
    format_count(b, e->size);
    buf_add_str(b, " bytes, ");
    format_count(b, e->nrcpt);
    buf_add_str(b, e->nrcpt == 1 ? " recipient" : " recipients");
}

static void add_event(struct buf *b, const struct mail_event *e)
{
    if (e->kind == MAIL_DELIVERY) {
        add_delivery(b, e);
        return;
    }
    if (e->kind == MAIL_QUEUED) {
        add_queued(b, e);
        return;
    }
    buf_add_str(b, mail_trace_kind_name(e->kind));
    add_part(b, ": ", e->client);
    add_part(b, ", login ", e->login);
    add_part(b, ", sender ", e->sender);
    add_part(b, ", ", e->other_id);
    add_part(b, ": ", e->text);
}

static void say_event(struct why *w, const struct mail_event *e)
{
    struct buf when, line;

    buf_init(&when, 64);
    buf_init(&line, LINE_BYTES);
    text_time(&when, e->time_ms / 1000);
    add_event(&line, e);
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
