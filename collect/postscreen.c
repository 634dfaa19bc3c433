#include "collect/postscreen.h"

#include <stdlib.h>

#include "collect/mail_codec.h"
#include "collect/mail_key.h"
#include "collect/mail_text.h"

struct postscreen_client {
    int64_t began_ms;
    int64_t terminated_ms; /* 0: it did not end abnormally */
    uint64_t bad_commands;
    int64_t bad_ms; /* of the first */
    unsigned flags;
};
#define CLIENT_REFUSED 1u
#define CLIENT_IGNORED 2u
#define CLIENT_PASSED  4u

static const struct shape connected = {"postscreen: connect", true},
                          handed_on = {"postscreen: pass", true},
                          refused = {"postscreen: deny", true},
                          terminated = {"postscreen: abnormal end", true},
                          bad_command = {"postscreen: bad command", true},
                          disconnected = {"postscreen: disconnect", true},
                          rejected = {"postscreen: reject", true},
                          not_counted = {"postscreen: other", false};

static void client_encode(const void *thing, struct buf *out)
{
    const struct postscreen_client *c = thing;

    mail_codec_int(out, c->began_ms);
    mail_codec_int(out, c->terminated_ms);
    buf_add_varint(out, c->bad_commands);
    mail_codec_int(out, c->bad_ms);
    buf_add_varint(out, c->flags);
}

static void *client_decode(struct slice bytes)
{
    struct postscreen_client *c = calloc(1, sizeof *c);

    if (c == NULL ||
        (mail_codec_take_int(&bytes, &c->began_ms) &&
         mail_codec_take_int(&bytes, &c->terminated_ms) &&
         slice_take_varint(&bytes, &c->bad_commands) && mail_codec_take_int(&bytes, &c->bad_ms) &&
         mail_codec_take_flags(&bytes, &c->flags) && bytes.len == 0))
        return c;
    free(c);
    return NULL;
}

void postscreen_type(struct open_book *b)
{
    static const struct open_thing type = {client_encode, client_decode, free};

    open_type(b, OPEN_POSTSCREEN, &type);
}

/* "[address]:port" of the line: the first that stands there. */
static struct slice client_in(struct slice text)
{
    ptrdiff_t from = slice_find(text, '[');
    struct slice s = from < 0 ? SLICE_NONE : slice_from(text, (size_t)from);
    ptrdiff_t bracket = slice_find(s, ']');
    size_t end;

    if (bracket < 0 || slice_find(slice_from(s, (size_t)bracket + 1), ':') != 0)
        return SLICE_NONE;
    for (end = (size_t)bracket + 2; end < s.len && s.ptr[end] >= '0' && s.ptr[end] <= '9'; end++)
        ;
    return slice_to(s, end);
}

static void connect_line(struct machine *m, const struct log_line *line, struct slice client)
{
    struct postscreen_client *c = calloc(1, sizeof *c);
    struct mail_key k;
    struct ip ip;

    if (c == NULL)
        return;
    c->began_ms = line->time_ms;
    if (machine_list_has(&m->rules->internal, line->tag) ||
        (networks_ip_parse(mail_text_address(client), &ip) &&
         networks_contain(&m->rules->ignore_clients, &ip)))
        c->flags = CLIENT_IGNORED;
    TG_IGNORE(open_add(m->open, OPEN_POSTSCREEN, mail_key_named(&k, line, client), c,
                       line->time_ms)); /* out of memory: not counted */
    if (open_count(m->open, OPEN_POSTSCREEN) > POSTSCREEN_MAX)
        open_drop(m->open, open_oldest(m->open, OPEN_POSTSCREEN));
}

static void count(struct machine *m, int64_t time_ms, enum counter id, uint64_t amount)
{
    if (amount > 0)
        m->sink->count(m->sink->to, time_ms, &PAYER_NONE, id, amount);
}

static void disconnect_line(struct machine *m, const struct log_line *line, struct open_entry *e)
{
    const struct postscreen_client *c = e->thing;
    bool is_refused = (c->flags & CLIENT_REFUSED) != 0 && (c->flags & CLIENT_PASSED) == 0;

    if ((c->flags & CLIENT_IGNORED) == 0) {
        count(m, c->began_ms, COUNTER_SMTP_IN_CONNECTIONS, 1);
        sink_seconds(m->sink, c->began_ms, line->time_ms, &PAYER_NONE,
                     COUNTER_SMTP_IN_CONNECTION_SECONDS);
        count(m, line->time_ms, COUNTER_SMTP_IN_BLOCKED, is_refused);
        count(m, c->bad_ms, COUNTER_SMTP_IN_BAD_COMMANDS, c->bad_commands);
        count(m, c->terminated_ms, COUNTER_SMTP_IN_TERMINATIONS, c->terminated_ms != 0);
    }
    open_drop(m->open, e);
}

/* What the first words of a line mean. */
static const struct {
    struct slice start;
    const struct shape *shape;
} starts[] = {
    {{"PASS OLD", 8}, &handed_on},
    {{"PASS NEW", 8}, &handed_on},
    {{"ALLOWLISTED", 11}, &handed_on},
    {{"WHITELISTED", 11}, &handed_on},
    {{"DENYLISTED", 10}, &refused},
    {{"BLACKLISTED", 11}, &refused},
    {{"PREGREET", 8}, &refused},
    {{"DNSBL rank", 10}, &refused},
    {{"HANGUP", 6}, &terminated},
    {{"COMMAND TIME LIMIT", 18}, &terminated},
    {{"COMMAND LENGTH LIMIT", 20}, &terminated},
    {{"COMMAND PIPELINING", 18}, &bad_command},
    {{"NON-SMTP COMMAND", 16}, &bad_command},
    {{"BARE NEWLINE", 12}, &bad_command},
    {{"DISCONNECT", 10}, &disconnected},
    {{"NOQUEUE: reject: ", 17}, &rejected},
};

static const struct shape *shape_of(struct slice text)
{
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (mail_text_starts(text, starts[i].start))
            return starts[i].shape;
    }
    return NULL;
}

static void note(struct postscreen_client *c, const struct log_line *line,
                 const struct shape *shape)
{
    if (shape == &refused)
        c->flags |= CLIENT_REFUSED;
    else if (shape == &handed_on)
        c->flags |= CLIENT_PASSED;
    else if (shape == &terminated)
        c->terminated_ms = line->time_ms;
    else if (shape == &bad_command && c->bad_commands++ == 0)
        c->bad_ms = line->time_ms;
    else if (shape == &rejected &&
             (mail_text_has(line->text, SLICE("too many connections")) ||
              mail_text_has_nocase(line->text, SLICE("all server ports busy")) ||
              mail_text_has(line->text, SLICE("server ports are busy"))))
        c->flags |= CLIENT_REFUSED;
}

/* Known at once to be smtpd's; of PASS NEW the next line tells. */
static bool is_handed_on(struct slice text)
{
    return !mail_text_starts(text, SLICE("PASS NEW"));
}

const struct shape *postscreen_line(struct machine *m, const struct log_line *line)
{
    const struct shape *shape;
    struct slice text = line->text;
    struct mail_key k;
    struct open_entry *e;

    if (mail_text_take(&text, SLICE("CONNECT from "))) {
        connect_line(m, line, client_in(text));
        return &connected;
    }
    shape = shape_of(text);
    if (shape == NULL)
        return mail_text_starts(text, SLICE("cache ")) ||
                       mail_text_starts(text, SLICE("warning: ")) ||
                       mail_text_has(text, SLICE("LIST VETO")) ||
                       mail_text_starts(text, SLICE("COMMAND COUNT LIMIT"))
                   ? &not_counted
                   : NULL;
    e = open_entry(m->open, OPEN_POSTSCREEN, mail_key_named(&k, line, client_in(text)));
    if (e == NULL) /* its beginning is not in the log */
        return shape;
    if (shape == &disconnected) {
        disconnect_line(m, line, e);
    } else if (shape == &handed_on && is_handed_on(text)) {
        open_drop(m->open, e);
    } else {
        note(e->thing, line, shape);
        open_touch(m->open, e, line->time_ms);
    }
    return shape;
}

void postscreen_tick(struct machine *m, int64_t now_ms, unsigned source)
{
    struct open_entry *e;

    while ((e = open_oldest(m->open, OPEN_POSTSCREEN)) != NULL &&
           mail_key_is_from(e->key, source) && e->touched_ms + POSTSCREEN_LOST_MS <= now_ms)
        open_drop(m->open, e);
}
