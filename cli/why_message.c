/* tollgate why QUEUE-ID: what is known of the message. */
#include "cli/why_message.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#include "cli/control.h"
#include "lib/ledger/ledger_file.h"
#include "lib/read/read_held.h"
#include "lib/read/read_violations.h"

#define SEARCHED 100000 /* all that the stream keeps */
#define SAME_MS  5000   /* entries of one message are so near to each other */

/* --- the streams ----------------------------------------------------------------------------- */

struct why_search {
    struct why *w;
    struct why_message *m;
};

static int take_entry(void *context, const struct violation_entry *entry, struct err *err)
{
    struct why_search *s = context;
    struct violation *v = &s->m->violations[s->m->violation_count];

    if (!slice_equal(entry->v.queue_id, s->m->id))
        return 0;
    if (violation_copy(&entry->v, &s->w->arena, v, err) != 0)
        return -1;
    return ++s->m->violation_count == WHY_VIOLATIONS_MAX;
}

size_t why_message_moment(const struct why_message *m, size_t from)
{
    size_t end = from + 1;

    while (end < m->violation_count &&
           m->violations[from].time_ms - m->violations[end].time_ms <= SAME_MS)
        end++;
    return end;
}

enum limit_action why_message_decided(const struct violation *list, size_t count)
{
    enum limit_action action = ACTION_LOG;

    for (size_t i = 0; i < count; i++) {
        if (!list[i].soft && !list[i].observed && list[i].action > action)
            action = list[i].action;
    }
    return action;
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

static int take_place(struct why *w, const struct why_place *p, struct why_held *held,
                      struct err *err)
{
    bool released = json_is_true(json_object_get(p->message, "released"));
    const char *account = json_string_value(json_object_get(p->message, "account"));

    held->state = released ? WHY_RELEASED : WHY_HELD;
    held->since_s = json_integer_value(json_object_get(p->message, "time"));
    held->place = p->ahead + 1;
    held->of = p->of;
    held->account = arena_copy(&w->arena, slice_str(account != NULL ? account : ""));
    return held->account.ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

/* This node's own held messages, as tollgated knows them. */
static int held_here(struct why *w, struct why_message *m, struct err *err)
{
    json_t *answer = control_ask(w->cli->settings->state_dir, json_pack("{s:s}", "cmd", "held"),
                                 NULL, &m->control);
    struct why_place p = {0};
    int result = 0;

    if (answer != NULL)
        p = place_of(json_object_get(answer, "held"), w->typed);
    if (p.message != NULL)
        result = take_place(w, &p, &m->held, err);
    json_decref(answer);
    return result;
}

/* What Redis shows, of the accounts that are known of the message. */
static int held_elsewhere(struct why *w, struct why_message *m, struct err *err)
{
    struct name_list nodes;
    bool is_held = false;

    if (read_nodes(&w->cli->reader, &w->arena, &nodes, err) != 0)
        return -1;
    for (size_t i = 0; i < m->violation_count && !is_held; i++) {
        struct slice account = m->violations[i].domain;

        if (read_held_id(&w->cli->reader, account, &nodes, m->id, &is_held, err) != 0)
            return -1;
        if (is_held)
            m->held = (struct why_held){.state = WHY_HELD_ELSEWHERE, .account = account};
    }
    return 0;
}

static int find_held(struct why *w, struct why_message *m, struct err *err)
{
    if (held_here(w, m, err) != 0)
        return -1;
    if (m->held.state == WHY_NOT_HELD && held_elsewhere(w, m, err) != 0)
        return -1;
    /* The newest that is known of it is that it was put on hold. */
    if (m->held.state == WHY_NOT_HELD && m->control.code == 0 && m->violation_count > 0 &&
        why_message_decided(m->violations, why_message_moment(m, 0)) == ACTION_HOLD)
        m->held.state = WHY_HELD_NO_MORE;
    return 0;
}

/* --------------------------------------------------------------------------------------------- */

int why_message_read(struct why *w, struct why_message *m, struct err *err)
{
    struct why_search s = {.w = w, .m = m};

    *m = (struct why_message){.id = slice_str(w->typed)};
    m->violations = arena_array(&w->arena, WHY_VIOLATIONS_MAX, sizeof *m->violations);
    if (m->violations == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    if (read_violations_backward(&w->cli->reader, SLICE_NONE, SEARCHED, take_entry, &s, err) < 0 ||
        find_held(w, m, err) != 0)
        return -1;
    m->ledger = ledger_file_is_doubtful(w->cli->settings->state_dir, w->typed, &m->doubtful_s);
    why_counted_read(w, &m->counted);
    why_story_read(w, &m->story);
    return 0;
}

bool why_message_is_known(const struct why_message *m)
{
    return m->violation_count > 0 || m->ledger > 0 || m->counted.count > 0 || m->story.count > 0 ||
           (m->held.state != WHY_NOT_HELD && m->held.state != WHY_HELD_NO_MORE);
}

void why_message_note(const struct why_message *m, struct buf *b)
{
    bool denied =
        m->control.code == EX_NOPERM || m->ledger == -2 || m->counted.unread.code == EX_NOPERM;

    if (denied)
        buf_add_str(b, "Run it as root to include tollgated and its ledger.");
    else if (m->control.code != 0)
        buf_addf(b, "The held messages of this node could not be read: %s", m->control.text);
    else if (m->ledger < 0)
        buf_add_str(b, "This node's ledger could not be read.");
    else if (m->counted.unread.code != 0)
        buf_addf(b, "This node's journal could not be read: %s", m->counted.unread.text);
}
