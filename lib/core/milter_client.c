#include "lib/core/milter_client.h"

#include "lib/core/err.h"

#define OUT_MAX_BYTES     ((size_t)4 << 20)
#define SYMBOLS_MAX_BYTES 4096

/* What Postfix sends if the milter does not ask (postconf(5), milter_*_macros). */
static const char *const default_symbols[MILTER_STAGES] = {
    [MILTER_STAGE_CONNECT] = "j {daemon_name} {daemon_addr} v _",
    [MILTER_STAGE_HELO] = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
    [MILTER_STAGE_MAIL] = ("i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} "
                           "{mail_mailer}"),
    [MILTER_STAGE_RCPT] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    [MILTER_STAGE_DATA] = "i",
    [MILTER_STAGE_EOM] = "i",
    [MILTER_STAGE_EOH] = "i",
};

void milter_client_init(struct milter_client *c)
{
    *c = (struct milter_client){.event = '\0'};
    buf_init(&c->out, OUT_MAX_BYTES);
    for (int i = 0; i < MILTER_STAGES; i++)
        buf_init(&c->symbols[i], SYMBOLS_MAX_BYTES);
}

void milter_client_fini(struct milter_client *c)
{
    buf_fini(&c->out);
    for (int i = 0; i < MILTER_STAGES; i++)
        buf_fini(&c->symbols[i]);
}

static struct slice bare_name(struct slice name)
{
    if (name.len > 2 && name.ptr[0] == '{' && name.ptr[name.len - 1] == '}')
        return (struct slice){name.ptr + 1, name.len - 2};
    return name;
}

static const struct milter_macro *find_macro(const struct milter_client *c, struct slice name)
{
    for (size_t i = 0; i < c->macros.count; i++) {
        if (slice_equal(slice_str(c->macros.list[i].name), bare_name(name)))
            return &c->macros.list[i];
    }
    return NULL;
}

/* Postfix sends them even where the event itself was declined, and an empty set too (it clears the
 * one before). */
static void add_macros(struct milter_client *c, char command, enum milter_stage stage)
{
    struct slice names =
        c->has_symbols[stage] ? buf_slice(&c->symbols[stage]) : slice_str(default_symbols[stage]);
    struct slice name;
    size_t begun = milter_wire_begin(&c->out, MILTER_MACRO);

    buf_add_char(&c->out, command);
    while (slice_word(&names, " ,\t", &name)) {
        const struct milter_macro *m = find_macro(c, name);

        if (m == NULL)
            continue;
        milter_wire_add_string(&c->out, name);
        milter_wire_add_string(&c->out, m->value);
    }
    milter_wire_end(&c->out, begun);
}

static bool is_off(const struct milter_client *c)
{
    return !c->is_ready || c->off_connection || c->off_message;
}

static bool await(struct milter_client *c, char command, bool answered)
{
    c->event = command;
    c->is_waiting = answered;
    return answered;
}

struct milter_client_event {
    char command;
    int stage; /* of the macros; -1: none */
    uint32_t declined, unanswered;
};

/* Ends the packet of the event. True: an answer is due. */
static bool end_event(struct milter_client *c, const struct milter_client_event *e, size_t begun)
{
    milter_wire_end(&c->out, begun);
    return await(c, e->command, (c->steps & e->unanswered) == 0);
}

static bool begin_event(struct milter_client *c, const struct milter_client_event *e, size_t *begun)
{
    if (is_off(c))
        return false;
    if (e->stage >= 0)
        add_macros(c, e->command, (enum milter_stage)e->stage);
    if ((c->steps & e->declined) != 0)
        return false;
    *begun = milter_wire_begin(&c->out, e->command);
    return true;
}

bool milter_client_offer(struct milter_client *c)
{
    size_t begun = milter_wire_begin(&c->out, MILTER_OPTNEG);

    buf_add_u32(&c->out, MILTER_VERSION);
    buf_add_u32(&c->out, MILTER_CAN_ALL);
    buf_add_u32(&c->out, MILTER_STEPS_ALL);
    milter_wire_end(&c->out, begun);
    return await(c, MILTER_OPTNEG, true);
}

bool milter_client_connect(struct milter_client *c, const struct milter_peer *peer)
{
    static const struct milter_client_event e = {MILTER_CONNECT, MILTER_STAGE_CONNECT,
                                                 MILTER_NO_CONNECT, MILTER_NR_CONNECT};
    size_t begun;

    if (!begin_event(c, &e, &begun))
        return false;
    milter_wire_add_string(&c->out, peer->name);
    buf_add_char(&c->out, peer->family);
    if (peer->family != 'U') {
        buf_add_char(&c->out, (char)(peer->port >> 8));
        buf_add_char(&c->out, (char)(peer->port & 0xff));
        milter_wire_add_string(&c->out, peer->address);
    }
    return end_event(c, &e, begun);
}

bool milter_client_helo(struct milter_client *c, struct slice name)
{
    static const struct milter_client_event e = {MILTER_HELO, MILTER_STAGE_HELO, MILTER_NO_HELO,
                                                 MILTER_NR_HELO};
    size_t begun;

    if (!begin_event(c, &e, &begun))
        return false;
    milter_wire_add_string(&c->out, name);
    return end_event(c, &e, begun);
}

static bool send_path(struct milter_client *c, const struct milter_client_event *e,
                      struct slice path, const struct slice *params, size_t count)
{
    size_t begun;

    if (!begin_event(c, e, &begun))
        return false;
    milter_wire_add_string(&c->out, path);
    for (size_t i = 0; i < count; i++)
        milter_wire_add_string(&c->out, params[i]);
    return end_event(c, e, begun);
}

bool milter_client_mail(struct milter_client *c, struct slice path, const struct slice *params,
                        size_t count)
{
    static const struct milter_client_event e = {MILTER_MAIL, MILTER_STAGE_MAIL, MILTER_NO_MAIL,
                                                 MILTER_NR_MAIL};

    c->off_message = false;
    c->skips_body = false;
    return send_path(c, &e, path, params, count);
}

bool milter_client_rcpt(struct milter_client *c, struct slice path, const struct slice *params,
                        size_t count)
{
    static const struct milter_client_event e = {MILTER_RCPT, MILTER_STAGE_RCPT, MILTER_NO_RCPT,
                                                 MILTER_NR_RCPT};

    return send_path(c, &e, path, params, count);
}

bool milter_client_data(struct milter_client *c)
{
    static const struct milter_client_event e = {MILTER_DATA, MILTER_STAGE_DATA, MILTER_NO_DATA,
                                                 MILTER_NR_DATA};
    size_t begun;

    return begin_event(c, &e, &begun) && end_event(c, &e, begun);
}

/* A fold is sent as LF, as by Postfix and Sendmail; a bare CR is not a fold and stays. */
static void add_folded(struct buf *b, struct slice value)
{
    struct slice line;
    bool first = true;

    while (slice_cut(&value, '\n', &line)) {
        if (!first)
            buf_add_char(b, '\n');
        first = false;
        if (value.ptr != NULL && line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        buf_add(b, line);
    }
    buf_add_char(b, '\0');
}

static struct slice until_nul(struct slice text)
{
    ptrdiff_t nul = slice_find(text, '\0');

    return nul < 0 ? text : slice_to(text, (size_t)nul);
}

bool milter_client_header(struct milter_client *c, struct slice name, struct slice value)
{
    static const struct milter_client_event e = {MILTER_HEADER, MILTER_STAGE_EOH, MILTER_NO_HEADER,
                                                 MILTER_NR_HEADER};
    size_t begun;

    if (!begin_event(c, &e, &begun))
        return false;
    if ((c->steps & MILTER_LEAD_SPACE) == 0 && value.len > 0 && value.ptr[0] == ' ')
        value = (struct slice){value.ptr + 1, value.len - 1};
    milter_wire_add_string(&c->out, name);
    value = until_nul(value);
    if (value.len == 0)
        buf_add_char(&c->out, '\0');
    else
        add_folded(&c->out, value);
    return end_event(c, &e, begun);
}

bool milter_client_eoh(struct milter_client *c)
{
    static const struct milter_client_event e = {MILTER_EOH, MILTER_STAGE_EOH, MILTER_NO_EOH,
                                                 MILTER_NR_EOH};
    size_t begun;

    return begin_event(c, &e, &begun) && end_event(c, &e, begun);
}

bool milter_client_body(struct milter_client *c, struct slice chunk)
{
    static const struct milter_client_event e = {MILTER_BODY, MILTER_STAGE_EOM, MILTER_NO_BODY,
                                                 MILTER_NR_BODY};
    size_t begun;

    TG_ASSERT(chunk.len <= MILTER_CHUNK_BYTES);
    if (c->skips_body || !begin_event(c, &e, &begun))
        return false;
    buf_add(&c->out, chunk);
    return end_event(c, &e, begun);
}

bool milter_client_eom(struct milter_client *c)
{
    static const struct milter_client_event e = {MILTER_EOM, MILTER_STAGE_EOM, 0, 0};
    size_t begun;

    return begin_event(c, &e, &begun) && end_event(c, &e, begun);
}

bool milter_client_unknown(struct milter_client *c, struct slice command)
{
    static const struct milter_client_event e = {MILTER_UNKNOWN, -1, MILTER_NO_UNKNOWN,
                                                 MILTER_NR_UNKNOWN};
    size_t begun;

    if (!begin_event(c, &e, &begun))
        return false;
    milter_wire_add_string(&c->out, command);
    return end_event(c, &e, begun);
}

void milter_client_abort(struct milter_client *c)
{
    c->off_message = false;
    c->skips_body = false;
    if (c->is_ready && !c->off_connection)
        milter_wire_add(&c->out, MILTER_ABORT, 0, NULL);
    await(c, MILTER_ABORT, false);
}

void milter_client_quit(struct milter_client *c)
{
    if (c->is_ready)
        milter_wire_add(&c->out, MILTER_QUIT, 0, NULL);
    await(c, MILTER_QUIT, false);
}

bool milter_client_wants_headers(const struct milter_client *c)
{
    return !is_off(c) && (c->steps & MILTER_NO_HEADER) == 0;
}

bool milter_client_wants_body(const struct milter_client *c)
{
    return !is_off(c) && !c->skips_body && (c->steps & MILTER_NO_BODY) == 0;
}

bool milter_client_wants_rejected(const struct milter_client *c)
{
    return !is_off(c) && (c->steps & MILTER_REJECTED_RCPT) != 0;
}
