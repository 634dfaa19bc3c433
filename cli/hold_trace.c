#include "cli/hold_trace.h"

#include <ctype.h>
#include <string.h>

/* "Nov 28 20:12:21 mx postfix/postsuper[12095]: 4jcLzn67f7z1bnbJ: released from hold" */
struct traced_line {
    struct slice program; /* "postsuper" */
    struct slice id, text;
};

static bool is_queue_id(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!isalnum((unsigned char)s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

/* The part behind the last slash: an instance and a service precede it. */
static struct slice program_of(struct slice tag)
{
    ptrdiff_t begin;

    tag = slice_to(tag, (size_t)(slice_find(tag, '[') < 0 ? 0 : slice_find(tag, '[')));
    begin = slice_find_last(tag, '/');
    return slice_from(tag, (size_t)(begin + 1));
}

static bool line_take(struct slice line, struct traced_line *out)
{
    const char *end = line.len > 0 ? memmem(line.ptr, line.len, "]: ", 3) : NULL;
    struct slice head;
    ptrdiff_t colon;

    if (end == NULL)
        return false;
    head = slice_to(line, (size_t)(end - line.ptr));
    head = slice_from(head, (size_t)(slice_find_last(head, ' ') + 1));
    out->program = program_of(head);
    out->text = slice_from(line, (size_t)(end - line.ptr) + 3);
    colon = slice_find(out->text, ':');
    out->id = colon < 0 ? SLICE_NONE : slice_to(out->text, (size_t)colon);
    if (!is_queue_id(out->id))
        out->id = SLICE_NONE;
    else
        out->text = slice_trim(slice_from(out->text, (size_t)colon + 1));
    return out->program.len > 0;
}

static bool starts(struct slice s, const char *with)
{
    return slice_starts_nocase(s, slice_str(with));
}

static bool has(struct slice s, const char *part)
{
    return s.len > 0 && memmem(s.ptr, s.len, part, strlen(part)) != NULL;
}

/* The value of a word NAME=value. */
static struct slice value_of(struct slice text, const char *name)
{
    struct slice word;

    while (slice_word(&text, " ", &word)) {
        if (starts(word, name))
            return slice_from(word, strlen(name));
    }
    return SLICE_NONE;
}

static struct hold_trace *trace_of(const struct strmap *traces, struct slice id)
{
    void **place = strmap_find(traces, id);

    return place != NULL ? *place : NULL;
}

/* --- what a line tells ----------------------------------------------------------------------- */

static void postsuper(struct hold_trace *t, struct slice text)
{
    if (starts(text, "released from hold") || starts(text, "requeued"))
        t->is_off_hold = true;
    else if (starts(text, "placed on hold"))
        t->is_off_hold = false;
    else if (starts(text, "removed"))
        t->is_deleted = true;
}

/* A held message passed cleanup(8) before: a further Message-ID is that of another one. */
static void cleanup(struct hold_trace *t, struct slice text)
{
    if (starts(text, "milter-hold: END-OF-MESSAGE"))
        *t = (struct hold_trace){.is_shared = t->is_shared, .is_covered = true};
    else if (starts(text, "message-id="))
        t->is_over = true;
}

/* Sendmail logs the quarantine, and each delivery with its mailer. */
static void sendmail(struct hold_trace *t, struct slice text)
{
    if (starts(text, "milter=") && has(text, ", quarantine="))
        t->is_covered = true;
    else if (starts(text, "to=") && has(text, ", mailer=") && !has(text, "stat=quarantined"))
        t->is_scheduled = true;
}

static void relay_line(const struct strmap *traces, struct slice text)
{
    struct slice verb = value_of(text, "verb=");
    struct hold_trace *t = trace_of(traces, value_of(text, "id="));

    if (!starts(text, "queue command") || t == NULL)
        return;
    t->is_off_hold = t->is_off_hold || slice_equal(verb, SLICE("release"));
    t->is_deleted = t->is_deleted || slice_equal(verb, SLICE("delete"));
}

static void requeued_line(const struct strmap *traces, struct slice text)
{
    struct hold_trace *t = trace_of(traces, value_of(text, "orig_id="));

    if (t != NULL && !t->is_over)
        t->is_scheduled = true;
}

static void apply(struct hold_trace *t, const struct traced_line *l)
{
    if (slice_equal(l->program, SLICE("cleanup")))
        cleanup(t, l->text);
    else if (t->is_over)
        return;
    else if (slice_equal(l->program, SLICE("postsuper")))
        postsuper(t, l->text);
    else if (slice_equal(l->program, SLICE("qmgr")) || slice_equal(l->program, SLICE("nqmgr")))
        t->is_scheduled = t->is_scheduled || starts(l->text, "from=<");
    else
        sendmail(t, l->text);
}

void hold_trace_line(const struct strmap *traces, struct slice line)
{
    struct hold_trace *t;
    struct traced_line l;

    if (!line_take(line, &l))
        return;
    if (slice_equal(l.program, SLICE("pickup")))
        requeued_line(traces, l.text);
    if (slice_equal(l.program, SLICE("tollgate-relay")))
        relay_line(traces, l.text);
    t = l.id.len > 0 ? trace_of(traces, l.id) : NULL;
    if (t != NULL)
        apply(t, &l);
}

/* --- what follows ---------------------------------------------------------------------------- */

/* Postfix's short queue ids, inode and microseconds in hexadecimal, come back. */
static bool is_unique(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (!isxdigit((unsigned char)id.ptr[i]))
            return true;
    }
    return false;
}

enum hold_fate hold_trace_fate(const struct hold_trace *t, struct slice id)
{
    if (t->is_shared)
        return HOLD_FATE_UNKNOWN;
    if (t->is_off_hold || (t->is_scheduled && (t->is_covered || is_unique(id))))
        return HOLD_FATE_OUT;
    return t->is_deleted || t->is_covered ? HOLD_FATE_DELETED : HOLD_FATE_UNKNOWN;
}
