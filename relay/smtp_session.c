#include "relay/smtp_session.h"

#include <openssl/crypto.h>

#include "lib/core/utf8.h"
#include "relay/sasl.h"

#define LINE_MAX_BYTES 2048
#define TEXT_BYTES     65536 /* passed to the handler at a time, about */
#define OUT_MAX_BYTES  ((size_t)1 << 20)
#define OVERSHOOT_MAX  10000 /* recipients above the limit in a transaction that are no errors */

void smtp_session_init(struct smtp_session *s, const struct smtp_handler *handler, void *user,
                       const char *hostname, const struct smtp_limits *limits)
{
    *s = (struct smtp_session){
        .handler = handler, .user = user, .limits = *limits, .hostname = hostname};
    buf_init(&s->out, OUT_MAX_BYTES);
    buf_init(&s->line, SASL_LINE_MAX_BYTES);
    buf_init(&s->text, (size_t)TEXT_BYTES * 4);
}

void smtp_session_fini(struct smtp_session *s)
{
    sasl_free(s->sasl);
    buf_fini(&s->out);
    buf_fini(&s->line);
    buf_fini(&s->text);
    s->sasl = NULL;
}

static void say(struct smtp_session *s, const struct smtp_reply *r)
{
    buf_add(&s->out, smtp_reply_slice(r));
    buf_add(&s->out, SLICE("\r\n"));
    if (!smtp_reply_is_good(r))
        s->errors++;
    if (r->close || s->out.failed)
        s->is_closed = true;
}

static void say_text(struct smtp_session *s, const char *text)
{
    struct smtp_reply r = {.close = false};

    smtp_reply_copy(&r, slice_str(text));
    say(s, &r);
}

static void say_and_close(struct smtp_session *s, const char *text)
{
    say_text(s, text);
    s->is_closed = true;
}

static void reset(struct smtp_session *s)
{
    s->handler->reset(s->user);
    s->has_mail = false;
    s->is_utf8 = false;
    s->recipients = s->overshoot = 0;
}

void smtp_session_end(struct smtp_session *s, const char *why)
{
    if (s->is_closed)
        return;
    if (why != NULL)
        say_text(s, why);
    s->is_closed = true;
}

void smtp_session_start(struct smtp_session *s)
{
    struct smtp_reply r = {.close = false};

    smtp_reply_set(&r, "220 %s ESMTP", s->hostname);
    s->handler->connect(s->user, &r);
    say(s, &r);
}

void smtp_session_tls(struct smtp_session *s, bool offers_auth)
{
    s->wants_tls = false;
    s->has_tls = true;
    s->offers_auth = offers_auth;
    s->has_login = false;
    s->has_helo = false;
    s->is_extended = false;
    s->commands = 0;
    buf_reset(&s->line);
}

/* --- commands -------------------------------------------------------------------------------- */

static void add_extensions(struct smtp_session *s, struct smtp_reply *r)
{
    smtp_reply_set(r,
                   "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                   "%s%s250 ENHANCEDSTATUSCODES",
                   s->hostname, (unsigned long long)s->limits.message_max_bytes,
                   s->offers_tls && !s->has_tls ? "250-STARTTLS\r\n" : "",
                   s->offers_auth ? "250-AUTH PLAIN LOGIN\r\n" : "");
}

static void on_helo(struct smtp_session *s, enum smtp_verb verb, struct slice argument)
{
    struct smtp_reply r = {.close = false};

    if (argument.len == 0 || argument.len > 255 || smtp_command_has_control(argument)) {
        say_text(s, "501 5.5.4 Syntax: EHLO hostname");
        return;
    }
    reset(s);
    if (verb == SMTP_EHLO)
        add_extensions(s, &r);
    else
        smtp_reply_set(&r, "250 %s", s->hostname);
    s->handler->helo(s->user, argument, verb == SMTP_EHLO, &r);
    if (smtp_reply_is_good(&r)) {
        s->has_helo = true;
        s->is_extended = verb == SMTP_EHLO;
    }
    say(s, &r);
}

static const char *path_fault(const struct smtp_session *s, enum smtp_path_fault fault,
                              enum smtp_verb verb, const struct smtp_path *path)
{
    bool utf8 = verb == SMTP_MAIL ? path->smtputf8 : s->is_utf8;

    switch (fault) {
    case SMTP_PATH_SYNTAX:
        return verb == SMTP_MAIL ? "501 5.5.4 Syntax: MAIL FROM:<address>"
                                 : "501 5.5.4 Syntax: RCPT TO:<address>";
    case SMTP_PATH_BAD_ADDRESS:
        return verb == SMTP_MAIL ? "501 5.1.7 Bad sender address syntax"
                                 : "501 5.1.3 Bad recipient address syntax";
    case SMTP_PATH_BAD_PARAM:
        return "501 5.5.4 Bad value of a parameter";
    case SMTP_PATH_NO_PARAM:
        return "555 5.5.4 Parameter not recognised";
    case SMTP_PATH_OK:
        break;
    }
    if (smtp_command_has_8bit(path->text) && !utf8)
        return "553 5.6.7 Non-ASCII address without SMTPUTF8";
    if (!utf8_valid(path->text))
        return "553 5.6.7 Address is not UTF-8";
    return NULL;
}

static void on_mail(struct smtp_session *s, enum smtp_verb verb, struct slice argument)
{
    struct smtp_reply r = {.close = false};
    struct smtp_path path;
    const char *fault;

    if (!s->has_helo)
        fault = "503 5.5.1 Send HELO or EHLO first";
    else if (s->has_mail)
        fault = "503 5.5.1 Nested MAIL command";
    else
        fault = path_fault(s, smtp_command_path_parse(argument, verb, &path), verb, &path);
    if (fault == NULL && path.has_size && path.size_bytes > s->limits.message_max_bytes)
        fault = "552 5.3.4 Message size exceeds the limit";
    if (fault != NULL) {
        say_text(s, fault);
        return;
    }
    smtp_reply_set(&r, "250 2.1.0 Ok");
    s->handler->mail(s->user, &path, &r);
    s->has_mail = smtp_reply_is_good(&r);
    s->is_utf8 = s->has_mail && path.smtputf8;
    if (!s->has_mail)
        s->handler->reset(s->user);
    say(s, &r);
}

/* The client sends the rest in another transaction (RFC 5321 4.5.3.1.10): neither an error nor a
 * command that does nothing, up to a point. */
static void too_many_recipients(struct smtp_session *s)
{
    bool is_free = s->overshoot++ < OVERSHOOT_MAX;

    say_text(s, "452 4.5.3 Too many recipients");
    s->errors -= is_free;
    s->commands -= is_free;
}

static void on_rcpt(struct smtp_session *s, enum smtp_verb verb, struct slice argument)
{
    struct smtp_reply r = {.close = false};
    struct smtp_path path;
    const char *fault;

    if (s->has_mail && s->recipients >= s->limits.recipients_max) {
        too_many_recipients(s);
        return;
    }
    if (!s->has_mail)
        fault = "503 5.5.1 Need MAIL first";
    else
        fault = path_fault(s, smtp_command_path_parse(argument, verb, &path), verb, &path);
    if (fault == NULL && (path.text.len < 3 && path.text.ptr[0] == '<'))
        fault = "501 5.1.3 Bad recipient address syntax";
    if (fault != NULL) {
        say_text(s, fault);
        return;
    }
    smtp_reply_set(&r, "250 2.1.5 Ok");
    s->handler->rcpt(s->user, &path, &r);
    if (smtp_reply_is_good(&r))
        s->recipients++;
    say(s, &r);
}

static void on_data(struct smtp_session *s, enum smtp_verb verb, struct slice argument)
{
    struct smtp_reply r = {.close = false};

    (void)verb;
    if (argument.len > 0) {
        say_text(s, "501 5.5.4 Syntax: DATA");
        return;
    }
    if (s->recipients == 0) {
        say_text(s, s->has_mail ? "554 5.5.1 No valid recipients" : "503 5.5.1 Need RCPT first");
        return;
    }
    smtp_reply_set(&r, "354 End data with <CR><LF>.<CR><LF>");
    s->handler->data(s->user, &r);
    say(s, &r);
    if (!smtp_reply_is_good(&r)) {
        reset(s);
        return;
    }
    s->in_text = true;
    s->text_bytes = 0;
    smtp_data_init(&s->data);
}

static void on_reset(struct smtp_session *s, enum smtp_verb verb, struct slice argument)
{
    (void)verb;
    if (argument.len > 0) {
        say_text(s, "501 5.5.4 Syntax: RSET");
        return;
    }
    reset(s);
    say_text(s, "250 2.0.0 Ok");
}

static void on_starttls(struct smtp_session *s, enum smtp_verb verb, struct slice argument)
{
    (void)verb;
    if (argument.len > 0) {
        say_text(s, "501 5.5.4 Syntax: STARTTLS");
    } else if (s->has_tls) {
        say_text(s, "503 5.5.1 TLS is already active");
    } else if (!s->offers_tls) {
        say_text(s, "502 5.5.1 TLS is not offered");
    } else {
        reset(s);
        say_text(s, "220 2.0.0 Ready to start TLS");
        s->wants_tls = true;
    }
}

static void on_simple(struct smtp_session *s, enum smtp_verb verb, struct slice argument)
{
    (void)argument;
    if (verb == SMTP_NOOP)
        say_text(s, "250 2.0.0 Ok");
    else if (verb == SMTP_VRFY)
        say_text(s, "252 2.0.0 Cannot verify, but will accept the message and attempt delivery");
    else if (verb == SMTP_HELP)
        say_text(s, "214 2.0.0 See RFC 5321, and tollgate-relay(8)");
    else
        say_text(s, "502 5.5.1 Command not implemented");
}

static void on_quit(struct smtp_session *s, enum smtp_verb verb, struct slice argument)
{
    (void)verb;
    (void)argument;
    reset(s);
    say_and_close(s, "221 2.0.0 Bye");
}

/* --- AUTH ------------------------------------------------------------------------------------ */

static void auth_done(struct smtp_session *s)
{
    struct smtp_reply r = {.close = false};

    smtp_reply_set(&r, "535 5.7.8 Authentication failed");
    s->handler->auth(s->user, sasl_mechanism(s->sasl), sasl_login(s->sasl), sasl_password(s->sasl),
                     &r);
    s->has_login = smtp_reply_is_good(&r);
    say(s, &r);
}

static void auth_step(struct smtp_session *s, enum sasl_step step)
{
    if (step == SASL_CHALLENGE) {
        buf_addf(&s->out, "334 %s\r\n", sasl_challenge(s->sasl));
        return;
    }
    if (step == SASL_DONE)
        auth_done(s);
    else if (step == SASL_CANCELLED)
        say_text(s, "501 5.7.0 Authentication cancelled");
    else
        say_text(s, "501 5.5.2 Malformed authentication exchange");
    sasl_free(s->sasl);
    s->sasl = NULL;
}

static void on_auth(struct smtp_session *s, enum smtp_verb verb, struct slice argument)
{
    struct slice mechanism = SLICE_NONE;
    const char *fault = NULL;

    (void)verb;
    (void)slice_word(&argument, " ", &mechanism);
    if (!s->offers_auth)
        fault = s->offers_tls && !s->has_tls ? "538 5.7.11 Use STARTTLS before AUTH"
                                             : "502 5.5.1 AUTH is not offered";
    else if (!s->is_extended)
        fault = "503 5.5.1 Send EHLO first";
    else if (s->has_login || s->has_mail)
        fault = "503 5.5.1 AUTH not permitted now";
    else if ((s->sasl = sasl_new(mechanism)) == NULL)
        fault = "504 5.5.4 Mechanism not offered: use PLAIN or LOGIN";
    if (fault != NULL)
        say_text(s, fault);
    else
        auth_step(s, sasl_start(s->sasl, slice_trim(argument)));
}

/* --- lines ----------------------------------------------------------------------------------- */

static void on_unknown(struct smtp_session *s, struct slice line)
{
    struct smtp_reply r = {.close = false};

    smtp_reply_set(&r, "500 5.5.2 Command not recognised");
    s->handler->unknown(s->user, line, &r);
    say(s, &r);
}

static void command(struct smtp_session *s, struct slice line)
{
    static void (*const functions[])(struct smtp_session *, enum smtp_verb, struct slice) = {
        [SMTP_HELO] = on_helo,   [SMTP_EHLO] = on_helo,         [SMTP_MAIL] = on_mail,
        [SMTP_RCPT] = on_rcpt,   [SMTP_DATA] = on_data,         [SMTP_RSET] = on_reset,
        [SMTP_NOOP] = on_simple, [SMTP_VRFY] = on_simple,       [SMTP_EXPN] = on_simple,
        [SMTP_HELP] = on_simple, [SMTP_STARTTLS] = on_starttls, [SMTP_QUIT] = on_quit,
        [SMTP_AUTH] = on_auth,
    };
    struct slice argument;
    enum smtp_verb verb = smtp_command_verb(line, &argument);

    if (++s->commands > s->limits.commands_max)
        say_and_close(s, "421 4.7.0 Too many commands");
    else if (slice_find(line, '\0') >= 0)
        say_text(s, "500 5.5.2 NUL in a command");
    else if (verb == SMTP_UNKNOWN)
        on_unknown(s, line);
    else
        functions[verb](s, verb, argument);
    if (!s->is_closed && s->errors >= s->limits.errors_max)
        say_and_close(s, "421 4.7.0 Too many errors");
}

/* One whole line, its LF included. */
static void take_line(struct smtp_session *s)
{
    struct slice line = buf_slice(&s->line);

    if (line.len < 2 || line.ptr[line.len - 2] != '\r' ||
        slice_find(line, '\r') != (ptrdiff_t)line.len - 2) {
        say_and_close(s, "521 5.5.2 Bare CR or LF: lines end in CRLF");
        return;
    }
    line.len -= 2;
    if (s->sasl == NULL && line.len > LINE_MAX_BYTES)
        say_and_close(s, "500 5.5.2 Line too long");
    else if (s->sasl != NULL)
        auth_step(s, sasl_take(s->sasl, line));
    else
        command(s, line);
    OPENSSL_cleanse(s->line.data, s->line.len); /* it may have had a password */
    buf_reset(&s->line);
}

static void take_command_bytes(struct smtp_session *s, struct slice *in)
{
    ptrdiff_t lf = slice_find(*in, '\n');
    size_t len = lf < 0 ? in->len : (size_t)lf + 1;

    buf_add(&s->line, slice_to(*in, len));
    *in = (struct slice){in->ptr + len, in->len - len};
    if (s->line.failed || (lf < 0 && s->sasl == NULL && s->line.len > LINE_MAX_BYTES + 2))
        say_and_close(s, "500 5.5.2 Line too long");
    else if (lf >= 0)
        take_line(s);
}

/* --- the message ----------------------------------------------------------------------------- */

static void text_end(struct smtp_session *s)
{
    struct smtp_reply r = {.close = false};

    s->in_text = false;
    if (s->text_bytes > s->limits.message_max_bytes) {
        smtp_reply_set(&r, "552 5.3.4 Message size exceeds the limit");
    } else {
        smtp_reply_set(&r, "250 2.0.0 Ok");
        s->handler->end(s->user, &r);
    }
    if (smtp_reply_is_good(&r))
        s->commands = 0;
    reset(s);
    say(s, &r);
}

static void take_text_bytes(struct smtp_session *s, struct slice *in)
{
    struct slice portion = slice_to(*in, TEXT_BYTES);
    size_t before = portion.len;

    smtp_data_take(&s->data, &portion, &s->text);
    *in = (struct slice){in->ptr + (before - portion.len), in->len - (before - portion.len)};
    s->text_bytes += s->text.len;
    if (s->text_bytes <= s->limits.message_max_bytes && s->text.len > 0)
        s->handler->text(s->user, buf_slice(&s->text));
    buf_reset(&s->text);
    if (s->text_bytes / 2 > s->limits.message_max_bytes) /* the text may never end */
        say_and_close(s, "552 5.3.4 Message size exceeds the limit");
    else if (s->data.state == SMTP_DATA_BARE)
        say_and_close(s, "521 5.5.2 Bare CR or LF: lines end in CRLF");
    else if (s->data.state == SMTP_DATA_NUL)
        say_and_close(s, "521 5.6.0 NUL in a message");
    else if (s->data.state == SMTP_DATA_END)
        text_end(s);
}

void smtp_session_take(struct smtp_session *s, struct slice *in)
{
    while (in->len > 0 && !s->is_closed && !s->wants_tls) {
        if (s->in_text)
            take_text_bytes(s, in);
        else
            take_command_bytes(s, in);
    }
}
