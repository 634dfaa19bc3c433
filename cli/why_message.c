/* tollgate why QUEUE-ID */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#include "cli/control.h"
#include "cli/ledger_file.h"
#include "cli/text.h"
#include "cli/why.h"
#include "lib/core/format.h"
#include "lib/read/read_held.h"
#include "lib/read/read_violations.h"

#define SEARCHED   100000 /* all that the stream keeps */
#define SAME_MS    5000   /* entries of one message are so near to each other */
#define FOUND_MAX  64
#define NAME_BYTES 4096

struct why_found {
    struct why *w;
    struct slice id;
    struct violation list[FOUND_MAX]; /* the newest first */
    size_t count;
};

/* --- the streams ----------------------------------------------------------------------------- */

static int take_entry(void *context, const struct violation_entry *entry, struct err *err)
{
    struct why_found *f = context;
    struct violation *v = &f->list[f->count];

    if (!slice_equal(entry->v.queue_id, f->id))
        return 0;
    if (violation_copy(&entry->v, &f->w->arena, v, err) != 0)
        return -1;
    return ++f->count == FOUND_MAX;
}

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

/* What was decided of one message: the strongest of what its entries say. */
static enum limit_action decided(const struct violation *list, size_t count)
{
    enum limit_action action = ACTION_LOG;

    for (size_t i = 0; i < count; i++) {
        if (!list[i].soft && !list[i].observed && list[i].action > action)
            action = list[i].action;
    }
    return action;
}

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
        why_say(w, "%s", stopped[decided(list, count)]);
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
    enum limit_action action = decided(list, count);
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

static void say_found(const struct why_found *f)
{
    for (size_t i = 0, end; i < f->count; i = end) {
        for (end = i + 1; end < f->count; end++) {
            if (f->list[i].time_ms - f->list[end].time_ms > SAME_MS)
                break;
        }
        say_message(f->w, &f->list[i], end - i);
    }
}

/* --- held ------------------------------------------------------------------------------------ */

struct why_place {
    size_t ahead, of;
    const json_t *message;
};

/* Where it stands in the line of its account. */
static struct why_place place_of(const json_t *list, const char *id)
{
    struct why_place p = {0};
    const char *account = NULL;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *m = json_array_get(list, i);

        if (strcmp(id, json_string_value(json_object_get(m, "id"))) == 0)
            p.message = m;
    }
    if (p.message != NULL)
        account = json_string_value(json_object_get(p.message, "account"));
    for (size_t i = 0; account != NULL && i < json_array_size(list); i++) {
        const json_t *m = json_array_get(list, i);

        if (strcmp(account, json_string_value(json_object_get(m, "account"))) != 0 ||
            json_is_true(json_object_get(m, "released")))
            continue;
        p.of++;
        p.ahead += json_integer_value(json_object_get(m, "number")) <
                   json_integer_value(json_object_get(p.message, "number"));
    }
    return p;
}

static void say_held(struct why *w, const struct why_place *p)
{
    struct buf b;

    buf_init(&b, NAME_BYTES);
    if (json_is_true(json_object_get(p->message, "released"))) {
        buf_add_str(&b, "It was held, and has been charged and released within the last hour: look "
                        "for it in the mail queue and log of this node.");
    } else {
        buf_add_str(&b, "It has been on hold on this node since ");
        text_time(&b, json_integer_value(json_object_get(p->message, "time")));
        buf_addf(&b,
                 ", number %zu of %zu in the queue of %s. `tollgate release' releases it "
                 "when its turn comes and there is room.",
                 p->ahead + 1, p->of, json_string_value(json_object_get(p->message, "account")));
    }
    why_say_text(w, buf_slice(&b));
    buf_fini(&b);
}

/* This node's own held messages; true: it is among them. */
static bool held_here(struct why *w, struct err *err)
{
    json_t *answer =
        control_ask(w->cli->settings->state_dir, json_pack("{s:s}", "cmd", "held"), NULL, err);
    struct why_place p = {0};

    if (answer != NULL)
        p = place_of(json_object_get(answer, "held"), w->typed);
    if (p.message != NULL)
        say_held(w, &p);
    json_decref(answer);
    return p.message != NULL;
}

/* What Redis shows, of the accounts that are known of the message. */
static int held_elsewhere(struct why *w, const struct why_found *f, bool *is_held, struct err *err)
{
    struct name_list nodes;

    *is_held = false;
    if (read_nodes(&w->cli->reader, &w->arena, &nodes, err) != 0)
        return -1;
    for (size_t i = 0; i < f->count && !*is_held; i++) {
        if (read_held_id(&w->cli->reader, f->list[i].domain, &nodes, f->id, is_held, err) != 0)
            return -1;
        if (*is_held)
            why_say(w, "It is on hold on a node, for %.*s.", SLICE_FMT(f->list[i].domain));
    }
    return 0;
}

/* The newest that is known of it is that it was put on hold. */
static void say_not_held(struct why *w, const struct why_found *f)
{
    size_t end = 1;

    while (end < f->count && f->list[0].time_ms - f->list[end].time_ms <= SAME_MS)
        end++;
    if (f->count > 0 && decided(f->list, end) == ACTION_HOLD)
        why_say(w, "It is no longer on hold: it was released more than an hour ago, or deleted.");
}

/* --- in doubt -------------------------------------------------------------------------------- */

static int say_doubtful(struct why *w)
{
    int64_t time_s = 0;
    int found = ledger_file_is_doubtful(w->cli->settings->state_dir, w->typed, &time_s);
    struct buf b;

    if (found != 1)
        return found;
    buf_init(&b, NAME_BYTES);
    buf_add_str(&b, "It was accepted and counted");
    if (time_s > 0) {
        buf_add_str(&b, " at ");
        text_time(&b, time_s);
    }
    buf_addf(
        &b,
        ", but tollgated stopped before the mail server confirmed the reply. If the mail log has "
        "a line of qmgr with %s, the message was queued, and the count is right; if not, the "
        "sender has sent it again, and it is counted once too often.",
        w->typed);
    why_say_text(w, buf_slice(&b));
    buf_fini(&b);
    return 1;
}

/* --- nothing --------------------------------------------------------------------------------- */

static void say_nothing(struct why *w)
{
    why_say(w, "Nothing is known about this queue id: it is not in the recorded violations, and is "
               "neither held nor in doubt, and no collector of this node has seen it.");
    buf_add_char(&w->out, '\n');
    why_say(w,
            "See the mail log: grep %s /var/log/mail.log (or: journalctl -u "
            "'postfix*' -g %s)",
            w->typed, w->typed);
}

static void say_unasked(struct why *w, const struct err *control, int ledger)
{
    bool denied = control->code == EX_NOPERM || ledger == -2;

    if (control->code == 0 && ledger >= 0)
        return;
    buf_add_char(&w->out, '\n');
    if (denied)
        why_say(w, "(Run it as root to include tollgated and its ledger.)");
    else if (control->code != 0)
        why_say(w, "(The held messages of this node could not be read: %s)", control->text);
    else
        why_say(w, "(This node's ledger could not be read.)");
}

int why_queue_id(struct why *w, struct err *err)
{
    struct why_found f = {.w = w, .id = slice_str(w->typed)};
    struct err control = {0}, unread = {0};
    bool is_held;
    int ledger, story;

    if (read_violations_backward(&w->cli->reader, SLICE_NONE, SEARCHED, take_entry, &f, err) < 0)
        return -1;
    buf_addf(&w->out, "%s\n\n", w->typed);
    say_found(&f);
    is_held = held_here(w, &control);
    if (!is_held && held_elsewhere(w, &f, &is_held, err) != 0)
        return -1;
    if (!is_held && control.code == 0)
        say_not_held(w, &f);
    ledger = say_doubtful(w);
    story = why_story(w, &unread);
    if (f.count == 0 && !is_held && ledger <= 0 && story <= 0)
        say_nothing(w);
    if (story < 0)
        why_say(w, "(%s)", unread.text);
    say_unasked(w, &control, ledger);
    return 0;
}
