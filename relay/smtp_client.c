#include "relay/smtp_client.h"

#include "relay/smtp_command.h"
#include "relay/smtp_data.h"
#include "relay/smtp_reply.h"

#define LINE_MAX_BYTES  4096
#define REPLY_MAX_BYTES 16384
#define OUT_MAX_BYTES   ((size_t)1 << 20)
#define BATCH           50 /* RCPTs in flight: the buffers of both sides hold that many */

void smtp_client_init(struct smtp_client *c, struct smtp_job *job, struct arena *arena)
{
    *c = (struct smtp_client){.job = job, .arena = arena, .at_line_start = true};
    buf_init(&c->out, OUT_MAX_BYTES);
    buf_init(&c->line, LINE_MAX_BYTES);
    buf_init(&c->reply, REPLY_MAX_BYTES);
}

void smtp_client_fini(struct smtp_client *c)
{
    buf_fini(&c->out);
    buf_fini(&c->line);
    buf_fini(&c->reply);
}

/* --- outcomes -------------------------------------------------------------------------------- */

struct reply {
    int code;
    struct slice text; /* all lines in one, without the CRLFs */
};

static enum smtp_outcome outcome_of(int code)
{
    if (code >= 200 && code < 300)
        return SMTP_OUTCOME_DONE;
    return code >= 500 && code < 600 ? SMTP_OUTCOME_NEVER : SMTP_OUTCOME_LATER;
}

static void settle(struct smtp_client *c, struct smtp_target *t, enum smtp_outcome outcome,
                   struct slice text)
{
    if (t->outcome != SMTP_OUTCOME_NONE)
        return;
    t->outcome = outcome;
    t->text = smtp_reply_clean(text, c->arena);
}

static void settle_all(struct smtp_client *c, enum smtp_outcome outcome, struct slice text)
{
    for (size_t i = 0; i < c->job->target_count; i++)
        settle(c, &c->job->targets[i], outcome, text);
}

static void quit(struct smtp_client *c)
{
    if (!c->is_over)
        buf_add(&c->out, SLICE("QUIT\r\n"));
    c->is_over = true;
}

static void give_up(struct smtp_client *c, enum smtp_outcome outcome, struct slice text)
{
    settle_all(c, outcome, text);
    quit(c);
}

void smtp_client_lost(struct smtp_client *c, const char *why)
{
    settle_all(c, SMTP_OUTCOME_LATER, slice_str(why));
    c->is_over = true;
}

/* --- commands -------------------------------------------------------------------------------- */

static void add_mail(struct smtp_client *c)
{
    const struct smtp_job *j = c->job;

    buf_addf(&c->out, "MAIL FROM:<%.*s>", SLICE_FMT(j->sender));
    if (c->can_size)
        buf_addf(&c->out, " SIZE=%llu", (unsigned long long)j->text_bytes);
    if (c->can_8bit && j->eightbit)
        buf_add_str(&c->out, " BODY=8BITMIME");
    if (c->can_utf8 && j->smtputf8)
        buf_add_str(&c->out, " SMTPUTF8");
    buf_add_str(&c->out, "\r\n");
}

/* Sends as many RCPTs as may be in flight, and with PIPELINING DATA behind the last. */
static void add_recipients(struct smtp_client *c)
{
    size_t batch = c->can_pipeline ? BATCH : 1;

    for (; c->sent < c->job->target_count && c->sent - c->answered < batch; c->sent++)
        buf_addf(&c->out, "RCPT TO:<%.*s>\r\n", SLICE_FMT(c->job->targets[c->sent].address));
    if (c->sent == c->job->target_count && c->can_pipeline && !c->data_sent) {
        buf_add(&c->out, SLICE("DATA\r\n"));
        c->data_sent = true;
    }
}

/* A message that the server cannot accept is not offered to it. */
static const char *impossible(const struct smtp_client *c)
{
    const struct smtp_job *j = c->job;

    if (j->smtputf8 && !c->can_utf8)
        return "550 5.6.7 The next server does not support internationalised mail (SMTPUTF8)";
    if (c->size_max > 0 && j->text_bytes > c->size_max)
        return "552 5.3.4 The message exceeds the size limit of the next server";
    return NULL;
}

static void begin_mail(struct smtp_client *c)
{
    const char *fault = impossible(c);

    if (fault != NULL) {
        give_up(c, SMTP_OUTCOME_NEVER, slice_str(fault));
        return;
    }
    c->state = SMTP_CLIENT_MAIL;
    add_mail(c);
    if (c->can_pipeline)
        add_recipients(c);
}

static void say_ehlo(struct smtp_client *c)
{
    c->can_pipeline = c->can_size = c->can_8bit = c->can_utf8 = c->can_tls = false;
    c->state = SMTP_CLIENT_EHLO;
    buf_addf(&c->out, "EHLO %s\r\n", c->job->hostname);
}

/* --- replies --------------------------------------------------------------------------------- */

static void on_greeting(struct smtp_client *c, const struct reply *r)
{
    if (r->code == 220)
        say_ehlo(c);
    else /* the server accepts no mail at all: this does not concern the message */
        give_up(c, SMTP_OUTCOME_LATER, r->text);
}

static void on_ehlo(struct smtp_client *c, const struct reply *r)
{
    bool want_tls = c->job->tls != SMTP_TLS_NEVER && !c->has_tls;

    if (outcome_of(r->code) == SMTP_OUTCOME_NEVER && !want_tls) {
        c->state = SMTP_CLIENT_HELO;
        buf_addf(&c->out, "HELO %s\r\n", c->job->hostname);
    } else if (outcome_of(r->code) == SMTP_OUTCOME_NEVER && c->job->tls == SMTP_TLS_MAY) {
        c->state = SMTP_CLIENT_HELO;
        buf_addf(&c->out, "HELO %s\r\n", c->job->hostname);
    } else if (r->code != 250) {
        give_up(c, SMTP_OUTCOME_LATER, r->text);
    } else if (want_tls && c->can_tls) {
        c->state = SMTP_CLIENT_STARTTLS;
        buf_add(&c->out, SLICE("STARTTLS\r\n"));
    } else if (want_tls && c->job->tls == SMTP_TLS_MUST) {
        give_up(c, SMTP_OUTCOME_LATER, SLICE("4.7.5 TLS is required, but not offered"));
    } else {
        begin_mail(c);
    }
}

static void on_helo(struct smtp_client *c, const struct reply *r)
{
    if (r->code == 250)
        begin_mail(c);
    else
        give_up(c, SMTP_OUTCOME_LATER, r->text);
}

static void on_starttls(struct smtp_client *c, const struct reply *r)
{
    if (r->code == 220)
        c->wants_tls = true;
    else if (c->job->tls == SMTP_TLS_MUST)
        give_up(c, SMTP_OUTCOME_LATER, r->text);
    else
        begin_mail(c);
}

static void on_mail(struct smtp_client *c, const struct reply *r)
{
    if (outcome_of(r->code) != SMTP_OUTCOME_DONE) {
        give_up(c, outcome_of(r->code), r->text);
        return;
    }
    c->state = SMTP_CLIENT_RCPT;
    add_recipients(c);
}

static bool any_accepted(const struct smtp_client *c)
{
    for (size_t i = 0; i < c->job->target_count; i++) {
        if (c->job->targets[i].accepted)
            return true;
    }
    return false;
}

static void on_rcpt(struct smtp_client *c, const struct reply *r)
{
    struct smtp_target *t = &c->job->targets[c->answered++];

    t->accepted = outcome_of(r->code) == SMTP_OUTCOME_DONE;
    if (!t->accepted) /* RFC 5321 4.5.3.1.10: 552 stands for 452 here */
        settle(c, t, r->code == 552 ? SMTP_OUTCOME_LATER : outcome_of(r->code), r->text);
    if (c->answered < c->job->target_count) {
        add_recipients(c);
        return;
    }
    c->state = SMTP_CLIENT_DATA;
    if (c->data_sent)
        return;
    if (!any_accepted(c)) {
        quit(c);
        return;
    }
    buf_add(&c->out, SLICE("DATA\r\n"));
    c->data_sent = true;
}

static void on_data(struct smtp_client *c, const struct reply *r)
{
    if (r->code != 354) {
        give_up(c,
                outcome_of(r->code) == SMTP_OUTCOME_NEVER ? SMTP_OUTCOME_NEVER : SMTP_OUTCOME_LATER,
                r->text);
        return;
    }
    c->state = SMTP_CLIENT_END;
    if (any_accepted(c))
        c->wants_text = true;
    else /* DATA in the pipeline was accepted without recipients: end the empty text (RFC 2920 3.1)
          */
        buf_add(&c->out, SLICE(".\r\n"));
}

static void on_end(struct smtp_client *c, const struct reply *r)
{
    give_up(c, outcome_of(r->code), r->text);
}

static void on_reply(struct smtp_client *c, const struct reply *r)
{
    static void (*const functions[])(struct smtp_client *, const struct reply *) = {
        [SMTP_CLIENT_GREETING] = on_greeting, [SMTP_CLIENT_EHLO] = on_ehlo,
        [SMTP_CLIENT_HELO] = on_helo,         [SMTP_CLIENT_STARTTLS] = on_starttls,
        [SMTP_CLIENT_MAIL] = on_mail,         [SMTP_CLIENT_RCPT] = on_rcpt,
        [SMTP_CLIENT_DATA] = on_data,         [SMTP_CLIENT_END] = on_end,
    };

    if (r->code == 421)
        give_up(c, SMTP_OUTCOME_LATER, r->text);
    else
        functions[c->state](c, r);
}

/* --- lines ----------------------------------------------------------------------------------- */

/* A line of the reply to EHLO, after the first. */
static void take_extension(struct smtp_client *c, struct slice line)
{
    struct slice word, number;

    if (!slice_word(&line, " ", &word))
        return;
    if (slice_equal_nocase(word, SLICE("PIPELINING")))
        c->can_pipeline = true;
    else if (slice_equal_nocase(word, SLICE("8BITMIME")))
        c->can_8bit = true;
    else if (slice_equal_nocase(word, SLICE("SMTPUTF8")))
        c->can_utf8 = true;
    else if (slice_equal_nocase(word, SLICE("STARTTLS")))
        c->can_tls = true;
    else if (slice_equal_nocase(word, SLICE("SIZE"))) {
        c->can_size = true;
        if (slice_word(&line, " ", &number) && !slice_number(number, &c->size_max))
            c->size_max = 0;
    }
}

static bool line_code(struct slice line, int *code)
{
    uint64_t n;

    if (line.len < 3 || !slice_number(slice_to(line, 3), &n) || n < 200 || n > 599 ||
        (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-'))
        return false;
    *code = (int)n;
    return true;
}

static void take_line(struct smtp_client *c, struct slice line)
{
    struct reply r;

    line = slice_trim(line);
    if (!line_code(line, &r.code)) {
        smtp_client_lost(c, "4.5.0 The server does not speak SMTP");
        return;
    }
    if (c->state == SMTP_CLIENT_EHLO && c->reply.len > 0)
        take_extension(c, slice_from(line, 4));
    if (c->reply.len > 0)
        buf_add_char(&c->reply, ' ');
    buf_add(&c->reply, c->reply.len > 0 ? slice_from(line, 4) : line);
    if (c->reply.failed) {
        smtp_client_lost(c, "4.5.0 The server's reply has no end");
        return;
    }
    if (line.len > 3 && line.ptr[3] == '-')
        return;
    r.text = buf_slice(&c->reply);
    on_reply(c, &r);
    buf_reset(&c->reply);
}

void smtp_client_take(struct smtp_client *c, struct slice in)
{
    while (in.len > 0 && !c->is_over && !c->wants_tls) {
        ptrdiff_t lf = slice_find(in, '\n');
        size_t len = lf < 0 ? in.len : (size_t)lf + 1;

        buf_add(&c->line, slice_to(in, len));
        in = (struct slice){in.ptr + len, in.len - len};
        if (c->line.failed) {
            smtp_client_lost(c, "4.5.0 The server's line has no end");
        } else if (lf >= 0) {
            take_line(c, buf_slice(&c->line));
            buf_reset(&c->line);
        }
    }
    if (c->out.failed)
        smtp_client_lost(c, "4.3.0 Out of memory");
}

void smtp_client_tls(struct smtp_client *c)
{
    c->wants_tls = false;
    c->has_tls = true;
    buf_reset(&c->line);
    say_ehlo(c);
}

void smtp_client_text(struct smtp_client *c, struct slice portion)
{
    smtp_data_stuff(portion, &c->at_line_start, &c->out);
}

void smtp_client_text_end(struct smtp_client *c)
{
    if (!c->at_line_start)
        buf_add(&c->out, SLICE("\r\n"));
    buf_add(&c->out, SLICE(".\r\n"));
    c->wants_text = false;
}

int64_t smtp_client_patience_ms(const struct smtp_client *c, int64_t usual_ms)
{
    return c->state == SMTP_CLIENT_END ? usual_ms * 2 : usual_ms;
}
