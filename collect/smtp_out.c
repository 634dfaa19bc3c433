#include "collect/smtp_out.h"

#include <string.h>

#include "collect/mail.h"
#include "collect/mail_codec.h"
#include "collect/mail_key.h"
#include "collect/refusal.h"
#include "collect/smtp_out_group.h"
#include "collect/smtp_out_relay.h"

static const struct shape to_server = {"smtp: delivery", true},
                          to_internal = {"smtp: delivery inside", true},
                          not_reached = {"smtp: connect to", true},
                          server_failed = {"smtp: server in vain", true},
                          not_counted = {"smtp: other", false};

void smtp_out_type(struct open_book *b)
{
    static const struct open_thing type = {smtp_out_group_encode, smtp_out_group_decode,
                                           smtp_out_group_release};

    open_type(b, OPEN_SMTP_OUT, &type);
}

/* --- times ------------------------------------------------------------------------------------ */

/* Milliseconds of "0.03", "3", "313". */
static uint64_t ms_of(struct slice s)
{
    ptrdiff_t dot = slice_find(s, '.');
    struct slice part = dot < 0 ? SLICE_NONE : slice_to(slice_from(s, (size_t)dot + 1), 3);
    uint64_t whole, fraction = 0, unit = 1000;

    if (!slice_number(dot < 0 ? s : slice_to(s, (size_t)dot), &whole) || whole > 1000000)
        return 0;
    if (part.len > 0 && !slice_number(part, &fraction))
        return 0;
    for (size_t i = 0; i < part.len; i++)
        unit /= 10;
    return whole * 1000 + fraction * unit;
}

/* "a/b/c/d": before the queue, in the queue, connecting, sending. */
struct delays {
    struct slice times; /* "a/b/c" */
    uint64_t connecting_ms, sending_ms;
};

static struct delays delays_of(struct slice text)
{
    ptrdiff_t last = slice_find_last(text, '/');
    struct delays d = {.times = last < 0 ? text : slice_to(text, (size_t)last)};

    d.sending_ms = last < 0 ? 0 : ms_of(slice_from(text, (size_t)last + 1));
    last = slice_find_last(d.times, '/');
    d.connecting_ms = last < 0 ? 0 : ms_of(slice_from(d.times, (size_t)last + 1));
    return d;
}

/* --- groups ----------------------------------------------------------------------------------- */

/* True: it was charged. A group whose owner may still be told waits, unless `is_last`. */
static bool settle(struct machine *m, const struct smtp_out_group *g, bool is_last)
{
    struct open_entry *e = g->id.len > 0 ? mail_entry(m, g->instance, g->id) : NULL;
    struct payer payer = PAYER_NONE;
    bool is_known = e != NULL && mail_owner(m, e->thing, &payer);

    if (!is_known && !is_last && g->id.len > 0)
        return false;
    smtp_out_group_charge(m, g, &payer, e != NULL ? ((struct mail *)e->thing)->size : 0);
    return true;
}

/* A key of its own, so that the process can begin another group; one that is not taken, unless it
 * waits with very many of the same message. */
static struct slice waiting_key(const struct machine *m, const struct open_entry *e,
                                struct mail_key *k)
{
    const struct smtp_out_group *g = e->thing;
    struct slice process = slice_to(e->key, MAIL_KEY_PART);
    struct slice key = mail_key_message(k, g->instance, g->id);

    memcpy(k->bytes + k->len, process.ptr, process.len);
    key.len += process.len + 1;
    for (char n = 'a'; n <= 'z'; n++) {
        k->bytes[key.len - 1] = n;
        if (open_entry(m->open, OPEN_SMTP_OUT, key) == NULL)
            break;
    }
    return key;
}

static void wait_for_owner(struct machine *m, struct open_entry *e)
{
    struct smtp_out_group *g = e->thing;
    struct mail_key k;
    struct slice key = waiting_key(m, e, &k);
    struct open_entry *there = open_entry(m->open, OPEN_SMTP_OUT, key);

    if (there != NULL)
        TG_IGNORE(settle(m, there->thing, true)); /* it is charged now */
    g->waits = true;
    e->thing = NULL;
    TG_IGNORE(open_add(m->open, OPEN_SMTP_OUT, key, g, g->last_ms)); /* out of memory: released */
    open_drop(m->open, e);
}

static void group_end(struct machine *m, struct open_entry *e)
{
    if (settle(m, e->thing, false))
        open_drop(m->open, e);
    else
        wait_for_owner(m, e);
}

/* What the process of the line has under way; a new one where there is none. NULL: out of memory.
 */
static struct open_entry *group_of(struct machine *m, const struct log_line *line)
{
    struct mail_key k;
    struct slice key = mail_key_process(&k, line);
    struct open_entry *e = open_entry(m->open, OPEN_SMTP_OUT, key);
    struct smtp_out_group *g;

    if (e == NULL) {
        g = smtp_out_group_new();
        e = g != NULL ? open_add(m->open, OPEN_SMTP_OUT, key, g, line->time_ms) : NULL;
    }
    if (e != NULL) {
        ((struct smtp_out_group *)e->thing)->last_ms = line->time_ms;
        ((struct smtp_out_group *)e->thing)->source = line->source;
        open_touch(m->open, e, line->time_ms);
    }
    return e;
}

/* The message that it is of, once a line tells. */
static void group_name(struct smtp_out_group *g, const struct log_line *line, struct slice id)
{
    if (id.len == 0 || g->id.len > 0)
        return;
    mail_codec_set(&g->id, id);
    mail_codec_set(&g->instance, line->instance);
}

/* The same for a line that comes before recipients: those that are there end. */
static struct smtp_out_group *group_before(struct machine *m, const struct log_line *line,
                                           struct slice id)
{
    struct mail_key k;
    struct open_entry *e = open_entry(m->open, OPEN_SMTP_OUT, mail_key_process(&k, line));
    struct smtp_out_group *g;

    if (e != NULL && ((struct smtp_out_group *)e->thing)->has_recipient)
        group_end(m, e);
    e = group_of(m, line);
    if (e == NULL)
        return NULL;
    g = e->thing;
    group_name(g, line, id);
    return g;
}

/* The process delivers something that does not count: what it has logged before is charged to that
 * message. */
static void group_close(struct machine *m, const struct log_line *line, struct slice id)
{
    struct mail_key k;
    struct open_entry *e = open_entry(m->open, OPEN_SMTP_OUT, mail_key_process(&k, line));

    if (e == NULL)
        return;
    group_name(e->thing, line, id);
    group_end(m, e);
}

static bool is_same(const struct smtp_out_group *g, struct slice id, const struct mail_delivery *d,
                    const struct delays *times)
{
    return slice_equal(g->id, id) && slice_equal(g->relay, d->relay) &&
           slice_equal(g->times, times->times) && g->conn_use == d->conn_use &&
           times->sending_ms >= g->sending_ms;
}

/* The group of a recipient's line. *is_first: the line begins it. */
static struct smtp_out_group *group_with(struct machine *m, const struct log_line *line,
                                         struct slice id, const struct mail_delivery *d,
                                         bool *is_first)
{
    struct mail_key k;
    struct open_entry *e = open_entry(m->open, OPEN_SMTP_OUT, mail_key_process(&k, line));
    struct smtp_out_group *g = e != NULL ? e->thing : NULL;
    struct delays times = delays_of(d->delays);

    *is_first = g == NULL || !g->has_recipient || !is_same(g, id, d, &times);
    if (*is_first && g != NULL && g->has_recipient)
        group_end(m, e);
    e = group_of(m, line);
    if (e == NULL)
        return NULL;
    g = e->thing;
    if (*is_first) {
        g->has_recipient = true;
        mail_codec_set(&g->id, id);
        mail_codec_set(&g->instance, line->instance);
        mail_codec_set(&g->relay, d->relay);
        mail_codec_set(&g->times, times.times);
        g->conn_use = d->conn_use;
    }
    g->connecting_ms = times.connecting_ms;
    g->sending_ms = times.sending_ms;
    return g;
}

/* --- what a line says ------------------------------------------------------------------------- */

/* The reply's code in "host ... said: 550-5.1.1 no", or 0. */
static unsigned code_said(struct slice text)
{
    uint64_t code;

    return slice_number(slice_to(mail_text_after(text, SLICE(" said: ")), 3), &code)
               ? (unsigned)code
               : 0;
}

/* A command that the other server did not know or want now: 500 to 504, or x.5.0 to x.5.4; too many
 * recipients (4.5.3) is policy. */
static bool is_bad_command(struct slice dsn, struct slice text)
{
    unsigned code = code_said(text);

    if (code >= 500 && code <= 504)
        return true;
    return code > 0 && dsn.len == 5 && dsn.ptr[1] == '.' && dsn.ptr[2] == '5' &&
           dsn.ptr[3] == '.' && dsn.ptr[4] >= '0' && dsn.ptr[4] <= '4' &&
           !slice_equal(dsn, SLICE("4.5.3"));
}

static bool is_lost(struct slice text)
{
    return mail_text_starts(text, SLICE("lost connection with ")) ||
           mail_text_starts(text, SLICE("Cannot start TLS")) ||
           (mail_text_starts(text, SLICE("conversation with ")) &&
            mail_text_has(text, SLICE(" timed out")));
}

static bool is_greeting(struct slice text)
{
    return mail_text_has(text, SLICE(" refused to talk to me: "));
}

/* A name that could not be resolved, not a server that was away: x.4.3 and x.4.4 (RFC 3463 3.5). */
static bool is_dns(const struct mail_delivery *d)
{
    return slice_equal(slice_from(d->dsn, 1), SLICE(".4.3")) ||
           slice_equal(slice_from(d->dsn, 1), SLICE(".4.4")) ||
           mail_text_has(d->text, SLICE("Name service error"));
}

/* The body, or most of it, went over the wire. */
static bool has_sent(const struct mail_delivery *d)
{
    return slice_equal(d->status, SLICE("sent")) ||
           mail_text_has(d->text, SLICE("in reply to end of DATA command")) ||
           mail_text_has(d->text, SLICE("while sending end of data")) ||
           mail_text_has(d->text, SLICE("while sending message body"));
}

static struct slice domain_of(struct slice address)
{
    ptrdiff_t at = slice_find_last(address, '@');

    return at < 0 ? SLICE_NONE : slice_from(address, (size_t)at + 1);
}

/* "550 5.7.1 no" of "host H[ip] said: 550 5.7.1 no (in reply to RCPT TO command)" */
static struct slice reply_of(struct slice said)
{
    struct slice reply = mail_text_after(said, SLICE(" said: "));
    struct slice tail;

    if (reply.len == 0)
        reply = mail_text_after(said, SLICE(" refused to talk to me: "));
    tail = mail_text_after(reply, SLICE(" (in reply to "));
    if (tail.len > 0)
        reply = slice_to(reply, (size_t)(tail.ptr - reply.ptr) - (sizeof " (in reply to " - 1));
    return reply;
}

/* "host H[ip] refused to talk to me: 554 ..." */
static void refuse(struct smtp_out_group *g, const struct log_line *line, struct slice said,
                   struct slice provider)
{
    struct slice host = mail_text_after(said, SLICE("host "));
    ptrdiff_t end = slice_find(host, '[');

    smtp_out_group_refuse(
        g, &(struct smtp_out_refusal){.time_ms = line->time_ms,
                                      .is_greeting = is_greeting(said),
                                      .provider = provider,
                                      .relay = end < 0 ? SLICE_NONE : slice_to(host, (size_t)end),
                                      .text = reply_of(said)});
}

/* --- recipients ------------------------------------------------------------------------------- */

static void count_first(struct smtp_out_group *g, const struct log_line *line,
                        const struct mail_delivery *d)
{
    mail_codec_set(&g->provider, domain_of(d->to));
    if (slice_equal(d->relay, SLICE("none"))) {
        if (is_dns(d))
            smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_FAILED, 1);
        return;
    }
    if (d->conn_use == 0)
        smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_CONNECTIONS, 1);
}

static void count_reply(struct smtp_out_group *g, const struct log_line *line,
                        const struct mail_delivery *d)
{
    bool is_refused = is_greeting(d->text);

    if (is_refused)
        smtp_out_group_once(g, line->time_ms, COUNTER_SMTP_OUT_BLOCKED);
    else if (is_lost(d->text))
        smtp_out_group_once(g, line->time_ms, COUNTER_SMTP_OUT_TERMINATIONS);
    else if (is_bad_command(d->dsn, d->text))
        smtp_out_group_once(g, line->time_ms, COUNTER_SMTP_OUT_BAD_COMMANDS);
    else if (slice_equal(d->status, SLICE("bounced")) && code_said(d->text) >= 500)
        smtp_out_group_once(g, line->time_ms, COUNTER_SMTP_OUT_REJECTED);
    if (is_refused || (code_said(d->text) >= 400 && refusal_is_policy(d->dsn, d->text)))
        refuse(g, line, d->text, domain_of(d->to));
}

static void note_alias(struct machine *m, struct smtp_out_group *g, const struct mail_delivery *d)
{
    struct payer payer;

    if (g->domain.len > 0 || d->orig_to.len == 0 || !owners_address(m->owners, d->orig_to, &payer))
        return;
    mail_codec_set(&g->domain, payer.domain);
    mail_codec_set(&g->user, payer.user);
}

static const struct shape *recipient(struct machine *m, const struct log_line *line,
                                     struct slice id, struct slice text)
{
    struct mail_delivery d;
    struct smtp_out_group *g;
    bool is_first;

    if (!mail_text_delivery(text, &d))
        return NULL;
    if (mail_delivery(m, line, id, text) == NULL)
        return &to_server; /* out of memory */
    if (!slice_equal(d.relay, SLICE("none")) && smtp_out_relay_is_internal(m, d.relay)) {
        group_close(m, line, id);
        return &to_internal;
    }
    g = group_with(m, line, id, &d, &is_first);
    if (g == NULL)
        return &to_server;
    if (is_first)
        count_first(g, line, &d);
    g->has_sent = g->has_sent || has_sent(&d);
    if (!slice_equal(d.relay, SLICE("none")))
        count_reply(g, line, &d);
    note_alias(m, g, &d);
    return &to_server;
}

/* --- servers that were tried in vain ---------------------------------------------------------- */

/* "connect to H[ip]:port: Connection refused" */
static const struct shape *connect_failed(struct machine *m, const struct log_line *line,
                                          struct slice text)
{
    ptrdiff_t end = slice_find(text, ' ');
    struct slice relay = end < 1 ? text : slice_to(text, (size_t)end - 1);
    struct smtp_out_group *g;

    if (smtp_out_relay_is_internal(m, relay))
        return &to_internal;
    g = group_before(m, line, SLICE_NONE);
    if (g != NULL)
        smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_FAILED, line->times);
    return &not_reached;
}

/* The server that the line is about: behind "host " or "with ". */
static bool is_about_internal(const struct machine *m, struct slice text)
{
    struct slice relay = mail_text_starts(text, SLICE("host "))
                             ? slice_from(text, 5)
                             : mail_text_after(text, SLICE("with "));
    struct slice address = mail_text_address(relay);

    if (address.len == 0) /* "Cannot start TLS": says no name */
        return false;
    return smtp_out_relay_is_internal(
        m, slice_to(relay, (size_t)(address.ptr - relay.ptr) + address.len + 1));
}

static const struct shape *server_in_vain(struct machine *m, const struct log_line *line,
                                          struct slice id, struct slice text)
{
    bool is_refused = is_greeting(text);
    bool is_said = mail_text_starts(text, SLICE("host ")) && code_said(text) > 0;
    struct smtp_out_group *g;

    if (!is_refused && !is_said && !is_lost(text))
        return &not_counted;
    if (is_about_internal(m, text))
        return &to_internal;
    g = group_before(m, line, id);
    if (g == NULL)
        return &server_failed;
    smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_CONNECTIONS, 1);
    if (is_refused)
        smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_BLOCKED, 1);
    else if (!is_said)
        smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_TERMINATIONS, 1);
    if (is_refused)
        refuse(g, line, text, SLICE_NONE);
    return &server_failed;
}

/* --- all -------------------------------------------------------------------------------------- */

const struct shape *smtp_out_line(struct machine *m, const struct log_line *line)
{
    static const struct slice known[] = {{"Trusted TLS", 11},  {"Untrusted TLS", 13},
                                         {"Verified TLS", 12}, {"Anonymous TLS", 13},
                                         {"warning: ", 9},     {"SSL_connect error", 17},
                                         {"certificate ", 12}, {"setting up TLS", 14}};
    struct slice text = line->text, id;

    if (mail_text_take(&text, SLICE("connect to ")))
        return connect_failed(m, line, text);
    if (!mail_text_id(&text, &id) || id.len == 0) {
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
            if (mail_text_starts(line->text, known[i]))
                return &not_counted;
        }
        return NULL;
    }
    return mail_text_starts(text, SLICE("to=")) ? recipient(m, line, id, text)
                                                : server_in_vain(m, line, id, text);
}

/* After how long without a line it has ended. */
static int64_t idle_ms(const struct smtp_out_group *g)
{
    return g->has_recipient ? SMTP_OUT_IDLE_MS : SMTP_OUT_LOST_MS;
}

void smtp_out_tick(struct machine *m, int64_t now_ms, unsigned source)
{
    struct open_entry *e = open_oldest(m->open, OPEN_SMTP_OUT), *next;

    for (; e != NULL; e = next) {
        struct smtp_out_group *g = e->thing;
        bool is_last = g->last_ms + SMTP_OUT_OWNER_MS <= now_ms;

        next = e->newer;
        if ((source != MAIL_KEY_ALL && source != g->source) ||
            (!g->waits && g->last_ms + idle_ms(g) > now_ms))
            continue;
        if (settle(m, g, is_last))
            open_drop(m->open, e);
        else if (!g->waits)
            wait_for_owner(m, e);
    }
}

void smtp_out_restarted(struct machine *m, const struct log_line *line)
{
    struct open_entry *e = open_oldest(m->open, OPEN_SMTP_OUT), *next;

    for (; e != NULL; e = next) {
        next = e->newer;
        if (!((struct smtp_out_group *)e->thing)->waits && mail_key_is_of(e->key, line))
            group_end(m, e);
    }
}
