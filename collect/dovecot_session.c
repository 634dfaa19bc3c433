#include "collect/dovecot_session.h"

#include <stdlib.h>
#include <string.h>

#include "collect/sink.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
/* A session that is not heard of for so long is forgotten. */
#define FORGET_MS (35 * 24 * HOUR_MS)

/* Dovecot's timeouts are 30 min (IMAP, but IDLE has none) and 10 min (POP). */
static const int64_t pause_ms[] = {[DOVECOT_POP] = HOUR_MS, [DOVECOT_IMAP] = 25 * HOUR_MS};

const struct dovecot_counters *dovecot_counters(enum dovecot_proto proto)
{
    static const struct dovecot_counters counters[] = {
        [DOVECOT_POP] = {COUNTER_POP_CONNECTIONS, COUNTER_POP_CONNECTION_SECONDS, COUNTER_POP_BYTES,
                         COUNTER_POP_BLOCKED, COUNTER_POP_BAD_COMMANDS, COUNTER_POP_TERMINATIONS,
                         COUNTER_POP_AUTH_FAILED},
        [DOVECOT_IMAP] = {COUNTER_IMAP_CONNECTIONS, COUNTER_IMAP_CONNECTION_SECONDS,
                          COUNTER_IMAP_BYTES, COUNTER_IMAP_BLOCKED, COUNTER_IMAP_BAD_COMMANDS,
                          COUNTER_IMAP_TERMINATIONS, COUNTER_IMAP_AUTH_FAILED},
    };

    return &counters[proto];
}

/* --- in the book --------------------------------------------------------------------------------
 */

static struct dovecot_session *session_new(struct slice host, const struct payer *payer)
{
    size_t len = host.len + payer->domain.len + payer->user.len;
    struct dovecot_session *s = calloc(1, sizeof *s + len);
    struct slice *to[3], from[3] = {host, payer->domain, payer->user};
    char *at;

    if (s == NULL)
        return NULL;
    to[0] = &s->host;
    to[1] = &s->payer.domain;
    to[2] = &s->payer.user;
    at = (char *)(s + 1);
    for (size_t i = 0; i < 3; i++) {
        *to[i] = (struct slice){at, from[i].len};
        if (from[i].len > 0)
            memcpy(at, from[i].ptr, from[i].len);
        at += from[i].len;
    }
    return s;
}

static void add_text(struct buf *out, struct slice s)
{
    buf_add_varint(out, s.len);
    buf_add(out, s);
}

static bool take_text(struct slice *bytes, struct slice *s)
{
    uint64_t len;

    return slice_take_varint(bytes, &len) && len <= bytes->len && slice_take(bytes, (size_t)len, s);
}

enum session_flags { FLAG_EXACT = 1, FLAG_ENDED = 2, FLAG_IMAP = 4, FLAG_NOTE = 8, FLAGS = 15 };

static void session_encode(const void *thing, struct buf *out)
{
    const struct dovecot_session *s = thing;

    buf_add_varint(out, (s->has_exact_bytes ? FLAG_EXACT : 0u) | (s->has_ended ? FLAG_ENDED : 0u) |
                            (s->proto == DOVECOT_IMAP ? FLAG_IMAP : 0u) |
                            (s->is_note ? FLAG_NOTE : 0u));
    buf_add_varint(out, s->source);
    buf_add_varint(out, (uint64_t)s->accrued_ms);
    buf_add_varint(out, s->bytes);
    add_text(out, s->host);
    add_text(out, s->payer.domain);
    add_text(out, s->payer.user);
}

static void *session_decode(struct slice bytes)
{
    uint64_t flags, source, accrued, total;
    struct slice host;
    struct payer payer;
    struct dovecot_session *s;

    if (!slice_take_varint(&bytes, &flags) || flags > FLAGS ||
        !slice_take_varint(&bytes, &source) || source > UINT32_MAX ||
        !slice_take_varint(&bytes, &accrued) || accrued > INT64_MAX ||
        !slice_take_varint(&bytes, &total) || !take_text(&bytes, &host) ||
        !take_text(&bytes, &payer.domain) || !take_text(&bytes, &payer.user) || bytes.len > 0)
        return NULL;
    s = session_new(host, &payer);
    if (s == NULL)
        return NULL;
    s->proto = flags & FLAG_IMAP ? DOVECOT_IMAP : DOVECOT_POP;
    s->source = (unsigned)source;
    s->accrued_ms = (int64_t)accrued;
    s->bytes = total;
    s->has_exact_bytes = (flags & FLAG_EXACT) != 0;
    s->has_ended = (flags & FLAG_ENDED) != 0;
    s->is_note = (flags & FLAG_NOTE) != 0;
    return s;
}

void dovecot_session_type(struct open_book *b)
{
    static const struct open_thing type = {session_encode, session_decode, free};

    open_type(b, OPEN_DOVECOT, &type);
}

/* --- its life -----------------------------------------------------------------------------------
 */

static struct dovecot_session *session_add(struct machine *m, const struct log_line *line,
                                           struct slice id, enum dovecot_proto proto,
                                           const struct payer *payer)
{
    struct dovecot_session *s = session_new(line->host, payer);

    if (s == NULL)
        return NULL;
    s->proto = proto;
    s->source = line->source;
    s->accrued_ms = line->time_ms;
    /* Freed where it fails. */
    return open_add(m->open, OPEN_DOVECOT, id, s, line->time_ms) != NULL ? s : NULL;
}

void dovecot_session_begin(struct machine *m, const struct log_line *line, struct slice id,
                           enum dovecot_proto proto, const struct payer *payer)
{
    struct open_entry *e = open_entry(m->open, OPEN_DOVECOT, id);
    const struct dovecot_session *s = e != NULL ? e->thing : NULL;

    if (s == NULL || !s->has_ended)
        (void)session_add(m, line, id, proto, payer);
}

struct dovecot_session *dovecot_session_end_first(struct machine *m, const struct log_line *line,
                                                  struct slice id, enum dovecot_proto proto,
                                                  const struct payer *payer)
{
    struct dovecot_session *s = session_add(m, line, id, proto, payer);

    if (s != NULL)
        s->has_ended = true;
    return s;
}

void dovecot_session_note(struct machine *m, const struct log_line *line, struct slice key)
{
    struct open_entry *e = open_entry(m->open, OPEN_DOVECOT, key);
    struct dovecot_session *s = e == NULL ? session_new(SLICE_NONE, &PAYER_NONE) : NULL;

    if (e != NULL) {
        open_touch(m->open, e, line->time_ms);
    } else if (s != NULL) {
        s->is_note = true;
        TG_IGNORE(open_add(m->open, OPEN_DOVECOT, key, s, line->time_ms)); /* freed if it fails */
    }
}

static void accrue(struct machine *m, struct dovecot_session *s, int64_t to_ms)
{
    if (s->has_ended || to_ms <= s->accrued_ms)
        return;
    sink_seconds(m->sink, s->accrued_ms, to_ms, &s->payer, dovecot_counters(s->proto)->seconds);
    s->accrued_ms = to_ms;
}

void dovecot_session_end(struct machine *m, struct open_entry *e, int64_t time_ms)
{
    accrue(m, e->thing, time_ms);
    open_drop(m->open, e);
}

void dovecot_session_linger(struct machine *m, struct open_entry *e, int64_t time_ms)
{
    struct dovecot_session *s = e->thing;

    accrue(m, s, time_ms);
    s->has_ended = true;
    open_touch(m->open, e, time_ms);
}

/* The time up to which a session that has not ended may be counted. */
static int64_t counted_until(const struct open_entry *e, int64_t now_ms)
{
    const struct dovecot_session *s = e->thing;
    int64_t pause = e->touched_ms + pause_ms[s->proto];

    return now_ms < pause ? now_ms : pause;
}

void dovecot_session_end_all(struct machine *m, const struct log_line *line)
{
    struct open_entry *e = open_oldest(m->open, OPEN_DOVECOT), *next;

    for (; e != NULL; e = next) {
        const struct dovecot_session *s = e->thing;

        next = e->newer;
        if (s->is_note || s->source != line->source || !slice_equal(s->host, line->host))
            continue;
        m->lost_ends += !s->has_ended;
        dovecot_session_end(m, e, counted_until(e, line->time_ms));
    }
}

void dovecot_session_tick(struct machine *m, int64_t now_ms)
{
    int64_t minute_ms = now_ms - now_ms % MINUTE_MS;
    struct open_entry *e = open_oldest(m->open, OPEN_DOVECOT), *next;

    for (; e != NULL; e = next) {
        struct dovecot_session *s = e->thing;
        int64_t until_ms = counted_until(e, minute_ms);

        next = e->newer;
        if (s->is_note)
            continue;
        if (s->has_ended ? now_ms - e->touched_ms > DOVECOT_SESSION_KEEP_MS
                         : now_ms - e->touched_ms > FORGET_MS) {
            m->lost_ends += !s->has_ended;
            open_drop(m->open, e);
        } else if (!s->has_ended && until_ms > s->accrued_ms) {
            accrue(m, s, until_ms);
            open_changed(m->open, e);
        }
    }
}
