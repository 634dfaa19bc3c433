/* tollgate why QUEUE-ID, as text */
#include <stdio.h>

#include "cli/why_message.h"
#include "lib/core/format.h"
#include "lib/core/text.h"

#define NAME_BYTES 4096

/* --- limits ---------------------------------------------------------------------------------- */

/* "example.com had used 598 of 600 recipients per hour, and the message needed 3 more (...)" */
static void add_limit(struct buf *b, const struct violation *v)
{
    struct limit l = {.scope = v->scope, .metric = v->metric, .per = v->per};

    buf_add(b, violation_subject(v).len > 0 ? v->user : v->domain);
    buf_add_str(b, " had used ");
    text_amount(b, v->metric, v->used);
    buf_add_str(b, " of ");
    text_amount(b, v->metric, v->max);
    if (v->metric != METRIC_BYTES)
        buf_addf(b, " %s", limit_metric_name(v->metric));
    buf_addf(b, " per %.*s, and the message needed ", SLICE_FMT(v->per));
    text_amount(b, v->metric, v->wanted);
    buf_add_str(b, " more (");
    limit_name(&l, b);
    buf_addf(b, ", %s)", limit_action_name(v->action));
}

static void add_origin(struct buf *b, const struct violation *v)
{
    buf_add_str(b, "  ");
    text_time(b, v->time_ms / 1000);
    if (v->client.len > 0) {
        buf_add_str(b, ", from the client ");
        format_text(b, v->client);
    }
    buf_add_str(b, ", sender ");
    format_text(b, v->sender.len > 0 ? v->sender : SLICE("<>"));
    buf_add_str(b, "\n\n");
}

static const char *const stopped[] = {
    [ACTION_LOG] = "The message was accepted. A limit that only logs recorded it:",
    [ACTION_HOLD] = "The message was accepted and put on hold by a limit:",
    [ACTION_DEFER] = "The message was deferred (450) by a limit:",
    [ACTION_REJECT] = "The message was refused (550) by a limit:"};
static const char *const after[] = {
    [ACTION_DEFER] = "The sender's mail server or mail program retries by itself, under a new "
                     "queue id.",
    [ACTION_REJECT] = "The sender was notified and has to send it again."};

static void say_verdict(struct why *w, const struct violation *list, size_t count)
{
    bool over = false, observed = false;

    for (size_t i = 0; i < count; i++) {
        over = over || !list[i].soft;
        observed = observed || (list[i].observed && list[i].action != ACTION_LOG);
    }
    if (!over)
        why_say(w, "The message was accepted. It reached a soft limit:");
    else if (observed)
        why_say(w, "The message was accepted, because limits were only observed. Enforced, this "
                   "one would have stopped it:");
    else
        why_say(w, "%s", stopped[why_message_decided(list, count)]);
}

static void say_retry(struct why *w, const struct violation *v)
{
    struct buf b;

    if (v->soft || v->retry_after_s == 0)
        return;
    buf_init(&b, NAME_BYTES);
    if (v->retry_after_s < 0) {
        buf_add_str(&b, "It can never fit: it needs more than the whole limit.");
    } else {
        buf_add_str(&b, "There would be room for it again at ");
        text_time(&b, v->time_ms / 1000 + v->retry_after_s);
        buf_add_str(&b, ", after ");
        text_duration(&b, v->retry_after_s);
        buf_add_char(&b, '.');
    }
    why_say_text(w, buf_slice(&b));
    buf_fini(&b);
}

/* The entries of one message: of one moment. */
static void say_message(struct why *w, const struct violation *list, size_t count)
{
    enum limit_action action = why_message_decided(list, count);
    const struct violation *last = &list[0];
    struct buf b;

    add_origin(&w->out, last);
    say_verdict(w, list, count);
    for (size_t i = 0; i < count; i++) {
        buf_init(&b, NAME_BYTES);
        add_limit(&b, &list[i]);
        text_wrap(&w->out, 2, true, w->style.width, buf_slice(&b));
        buf_fini(&b);
        if (list[i].retry_after_s < 0 || list[i].retry_after_s > last->retry_after_s)
            last = &list[i];
    }
    if (action == ACTION_DEFER || action == ACTION_REJECT) {
        say_retry(w, last);
        why_say(w, "%s", after[action]);
    }
    buf_add_char(&w->out, '\n');
}

/* --- held ------------------------------------------------------------------------------------ */

static void add_held(const struct why_held *held, struct buf *b)
{
    buf_add_str(b, "It has been on hold on this node since ");
    text_time(b, held->since_s);
    buf_addf(b,
             ", number %zu of %zu in the queue of %.*s. `tollgate release' releases it when its "
             "turn comes and there is room.",
             held->place, held->of, SLICE_FMT(held->account));
}

static void say_held(struct why *w, const struct why_held *held)
{
    struct buf b;

    buf_init(&b, NAME_BYTES);
    if (held->state == WHY_HELD)
        add_held(held, &b);
    else if (held->state == WHY_RELEASED)
        buf_add_str(&b, "It was held, and has been charged and released within the last hour: look "
                        "for it in the mail queue and log of this node.");
    else if (held->state == WHY_HELD_ELSEWHERE)
        buf_addf(&b, "It is on hold on a node, for %.*s.", SLICE_FMT(held->account));
    else if (held->state == WHY_HELD_NO_MORE)
        buf_add_str(&b, "It is no longer on hold: it was released more than an hour ago, or "
                        "deleted.");
    if (b.len > 0)
        why_say_text(w, buf_slice(&b));
    buf_fini(&b);
}

/* --- in doubt -------------------------------------------------------------------------------- */

static void say_doubtful(struct why *w, const struct why_message *m)
{
    struct buf b;

    if (m->ledger != 1)
        return;
    buf_init(&b, NAME_BYTES);
    buf_add_str(&b, "It was accepted and counted");
    if (m->doubtful_s > 0) {
        buf_add_str(&b, " at ");
        text_time(&b, m->doubtful_s);
    }
    buf_addf(
        &b,
        ", but tollgated stopped before the mail server confirmed the reply. If the mail log has "
        "a line of qmgr with %s, the message was queued, and the count is right; if not, the "
        "sender has sent it again, and it is counted once too often.",
        w->typed);
    why_say_text(w, buf_slice(&b));
    buf_fini(&b);
}

/* --- nothing --------------------------------------------------------------------------------- */

static void say_nothing(struct why *w)
{
    why_say(w, "Nothing is known about this queue id: it is not in the recorded violations, "
               "not held, not in doubt and not among the counted messages that this node keeps, "
               "and no collector of this node has seen it.");
    buf_add_char(&w->out, '\n');
    why_say(w,
            "See the mail log: grep %s /var/log/mail.log (or: journalctl -u "
            "'postfix*' -g %s)",
            w->typed, w->typed);
}

static void say_unasked(struct why *w, const struct why_message *m)
{
    struct buf note;

    buf_init(&note, NAME_BYTES);
    why_message_note(m, &note);
    if (note.len > 0) {
        buf_add_char(&w->out, '\n');
        why_say(w, "(%.*s)", SLICE_FMT(buf_slice(&note)));
    }
    buf_fini(&note);
}

void why_message_say(struct why *w, const struct why_message *m)
{
    buf_addf(&w->out, "%s\n\n", w->typed);
    for (size_t i = 0, end; i < m->violation_count; i = end) {
        end = why_message_moment(m, i);
        say_message(w, &m->violations[i], end - i);
    }
    why_counted_say(w, &m->counted);
    say_held(w, &m->held);
    say_doubtful(w, m);
    why_story_say(w, &m->story);
    if (!why_message_is_known(m))
        say_nothing(w);
    if (m->story.unread.code != 0)
        why_say(w, "(%s)", m->story.unread.text);
    say_unasked(w, m);
}
