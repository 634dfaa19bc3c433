#include "lib/core/milter_server_work.h"

/* A longer CONNECT packet names no host; such a server is not saved. */
#define PEER_BYTES ((size_t)1 << 10)

#define TO(state)  (1u << (state))
/* DATA, end of header and unknown commands are declined. */
#define SKIPPED (TO(ST_DATA) | TO(ST_EOHS) | TO(ST_UNKN))

static const unsigned next_states[STATES] = {
    [ST_INIT] = TO(ST_OPTS),
    [ST_OPTS] = TO(ST_CONN) | TO(ST_UNKN),
    [ST_CONN] = TO(ST_HELO) | TO(ST_MAIL) | TO(ST_UNKN),
    [ST_HELO] = TO(ST_HELO) | TO(ST_MAIL) | TO(ST_UNKN),
    [ST_MAIL] = TO(ST_RCPT) | TO(ST_ABRT) | TO(ST_UNKN),
    [ST_RCPT] = TO(ST_HDRS) | TO(ST_EOHS) | TO(ST_DATA) | TO(ST_BODY) | TO(ST_ENDM) | TO(ST_RCPT) |
                TO(ST_ABRT) | TO(ST_UNKN),
    [ST_DATA] = TO(ST_EOHS) | TO(ST_HDRS) | TO(ST_ABRT),
    [ST_HDRS] = TO(ST_EOHS) | TO(ST_HDRS) | TO(ST_ABRT),
    [ST_EOHS] = TO(ST_BODY) | TO(ST_ENDM) | TO(ST_ABRT),
    [ST_BODY] = TO(ST_ENDM) | TO(ST_BODY) | TO(ST_ABRT),
    [ST_ENDM] = TO(ST_QUIT) | TO(ST_MAIL) | TO(ST_UNKN) | TO(ST_Q_NC),
    [ST_UNKN] = TO(ST_HELO) | TO(ST_MAIL) | TO(ST_RCPT) | TO(ST_ABRT) | TO(ST_DATA) | TO(ST_BODY) |
                TO(ST_UNKN) | TO(ST_QUIT) | TO(ST_Q_NC),
    [ST_Q_NC] = TO(ST_CONN) | TO(ST_UNKN),
};

struct milter_server_command {
    char letter;
    bool empty_ok;
    unsigned char state;
    enum milter_server_what what;
    int clears; /* macros from this stage on; -1: none */
    uint32_t unanswered;
};

static const struct milter_server_command commands[] = {
    {MILTER_MACRO, false, STATES, MILTER_SERVER_MORE, -1, 0},
    {MILTER_HEADER, false, ST_HDRS, MILTER_SERVER_HEADER, -1, MILTER_NR_HEADER},
    {MILTER_BODY, false, ST_BODY, MILTER_SERVER_BODY, -1, MILTER_NR_BODY},
    {MILTER_RCPT, false, ST_RCPT, MILTER_SERVER_RCPT, MILTER_STAGE_DATA, MILTER_NR_RCPT},
    {MILTER_MAIL, false, ST_MAIL, MILTER_SERVER_MAIL, MILTER_STAGE_RCPT, MILTER_NR_MAIL},
    {MILTER_EOM, true, ST_ENDM, MILTER_SERVER_END, -1, 0},
    {MILTER_ABORT, true, ST_ABRT, MILTER_SERVER_ABORT, -1, 0},
    {MILTER_CONNECT, false, ST_CONN, MILTER_SERVER_CONNECT, MILTER_STAGE_HELO, MILTER_NR_CONNECT},
    {MILTER_HELO, false, ST_HELO, MILTER_SERVER_HELO, MILTER_STAGE_MAIL, MILTER_NR_HELO},
    {MILTER_OPTNEG, false, ST_OPTS, MILTER_SERVER_NEGOTIATED, MILTER_STAGE_CONNECT, 0},
    {MILTER_QUIT, true, ST_QUIT, MILTER_SERVER_QUIT, -1, 0},
    {MILTER_QUIT_NC, true, ST_Q_NC, MILTER_SERVER_NEXT, MILTER_STAGE_CONNECT, 0},
    {MILTER_EOH, true, ST_EOHS, MILTER_SERVER_OTHER, -1, 0},
    {MILTER_DATA, true, ST_DATA, MILTER_SERVER_OTHER, -1, 0},
    {MILTER_UNKNOWN, false, ST_UNKN, MILTER_SERVER_OTHER, -1, 0},
};

static const struct milter_server_command *find_command(char letter)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (commands[i].letter == letter)
            return &commands[i];
    }
    return NULL;
}

void milter_server_init(struct milter_server *s)
{
    *s = (struct milter_server){.state = ST_INIT};
    milter_macro_store_init(&s->macros);
    buf_init(&s->peer, PEER_BYTES);
}

void milter_server_fini(struct milter_server *s)
{
    milter_macro_store_fini(&s->macros);
    buf_fini(&s->peer);
}

void milter_server_reset(struct milter_server *s)
{
    struct milter_macro_store macros = s->macros;
    struct buf peer = s->peer;

    milter_macro_store_reset(&macros);
    buf_reset(&peer);
    *s = (struct milter_server){.macros = macros, .peer = peer, .state = ST_INIT};
}

bool milter_server_in_mail(const struct milter_server *s)
{
    return milter_server_is_mail(s->state);
}

static bool may_follow(unsigned from, unsigned to)
{
    for (unsigned s = from;; s++) {
        if ((next_states[s] & TO(to)) != 0)
            return true;
        if (s + 1 >= STATES || (SKIPPED & TO(s + 1)) == 0)
            return false;
    }
}

/* False: the command is ignored. */
static bool move(struct milter_server *s, const struct milter_server_command *c)
{
    if (c->state == STATES)
        return true;
    if (!may_follow(s->state, c->state)) {
        s->aborts = s->aborts || milter_server_is_mail(s->state);
        s->state = ST_HELO;
        if (!may_follow(s->state, c->state))
            return false;
    }
    s->state = s->event = c->state;
    return true;
}

static void take_data(struct milter_server *s, const struct milter_server_command *c,
                      struct slice data, struct milter_server_event *e)
{
    e->what = c->what;
    if (data.len == 0 && !c->empty_ok) {
        milter_server_bad(e, "a packet without data");
        return;
    }
    if (c->clears >= 0)
        milter_macro_store_clear(&s->macros, c->clears);
    milter_server_data(s, c->letter, data, e);
}

/* --- packets
 * ------------------------------------------------------------------------------------------ */

/* Skips what has come of a body packet. True: it is an event now. */
static bool skip(struct milter_server *s, struct slice *in, struct milter_server_event *e)
{
    size_t len = s->left < in->len ? s->left : in->len;

    *in = slice_from(*in, len);
    s->left -= len;
    if (s->left > 0)
        return false;
    if (!s->ignored) {
        e->what = find_command(s->command)->what;
        e->bytes = s->total;
    }
    s->command = '\0';
    return !s->ignored;
}

/* A packet of body has begun. */
static void skip_begin(struct milter_server *s, const struct milter_server_command *c, uint32_t len,
                       struct slice *in, struct milter_server_event *e)
{
    *in = slice_from(*in, 5);
    s->ignored = !move(s, c);
    s->command = c->letter;
    s->left = s->total = len - 1;
    if (len == 1 && !c->empty_ok && !s->ignored)
        milter_server_bad(e, "a packet without data");
}

/* False: no more can be taken. */
static bool take_packet(struct milter_server *s, struct slice *in, struct milter_server_event *e)
{
    struct slice rest = *in, packet;
    const struct milter_server_command *c;
    uint32_t len;

    if (!slice_take_u32(&rest, &len))
        return false;
    if (len == 0 || len - 1 > MILTER_SERVER_PACKET_BYTES) {
        milter_server_bad(e, len == 0 ? "a packet of length 0" : "a packet is too long");
        return true;
    }
    if (rest.len == 0)
        return false;
    c = find_command(rest.ptr[0]);
    if (c == NULL) {
        milter_server_bad(e, "an unknown command");
        return true;
    }
    if (c->letter == MILTER_BODY || (c->letter == MILTER_EOM && len > 1)) {
        skip_begin(s, c, len, in, e);
        return true;
    }
    if (!slice_take(&rest, len, &packet))
        return false;
    *in = rest;
    if (move(s, c))
        take_data(s, c, slice_from(packet, 1), e);
    else if (c->letter == MILTER_QUIT)
        e->what = MILTER_SERVER_QUIT;
    return true;
}

void milter_server_take(struct milter_server *s, struct slice *in, struct milter_server_event *e)
{
    e->what = MILTER_SERVER_MORE;
    e->aborts = false;
    e->bytes = 0;
    e->problem = NULL;
    e->text = e->value = e->peer.address = SLICE_NONE;
    while (e->what == MILTER_SERVER_MORE && !s->aborts) {
        if (s->command != '\0' ? !skip(s, in, e) && s->left > 0 : !take_packet(s, in, e))
            break;
    }
    if (s->aborts && e->what == MILTER_SERVER_MORE)
        e->what = MILTER_SERVER_ABORT;
    else
        e->aborts = s->aborts;
    s->aborts = false;
}

size_t milter_server_packet(struct slice in)
{
    uint32_t len;

    return slice_take_u32(&in, &len) ? (size_t)len + 4 : 0;
}

/* --- answers
 * ------------------------------------------------------------------------------------------ */

static void ask_macros(struct buf *out, enum milter_stage stage, struct slice names)
{
    buf_add_u32(out, (uint32_t)stage);
    milter_wire_add_string(out, names);
}

void milter_server_agree(struct milter_server *s, struct buf *out)
{
    size_t begun = milter_wire_begin(out, MILTER_OPTNEG);

    buf_add_u32(out, s->version);
    buf_add_u32(out, s->actions);
    buf_add_u32(out, s->steps);
    if ((s->actions & MILTER_CAN_SET_SYMLIST) != 0) {
        ask_macros(out, MILTER_STAGE_CONNECT, SLICE("v {client_addr}"));
        ask_macros(out, MILTER_STAGE_MAIL, SLICE("i {mail_addr} {auth_authen}"));
        ask_macros(out, MILTER_STAGE_RCPT, SLICE("i {rcpt_addr} {rcpt_mailer} {rcpt_host}"));
        ask_macros(out, MILTER_STAGE_EOM, SLICE("i"));
    }
    milter_wire_end(out, begun);
}

void milter_server_quiet(struct milter_server *s, uint32_t steps)
{
    s->steps |= s->offered & steps & ENVELOPE_STEPS;
}

/* The step by which an event of that state gets no answer; 0: each is answered. */
static uint32_t unanswered(unsigned state)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (commands[i].state == state)
            return commands[i].unanswered;
    }
    return 0;
}

/* A refusal ends the message, but for that of a recipient. */
static void refused(struct milter_server *s)
{
    if (s->event != ST_RCPT && s->event != ST_UNKN)
        s->state = ST_HELO;
}

void milter_server_answer(struct milter_server *s, struct buf *out, enum milter_reply kind,
                          struct slice text)
{
    uint32_t quiet = s->is_negotiated ? unanswered(s->event) : 0;
    bool plain = (quiet & ~ENVELOPE_STEPS) != 0; /* nobody asked for more than CONTINUE */
    size_t begun;

    if ((s->steps & quiet) != 0)
        return;
    if (kind != MILTER_CONTINUE)
        refused(s);
    begun = milter_wire_begin(out, plain ? MILTER_CONTINUE : (char)kind);
    if (!plain && kind == MILTER_REPLY_CODE)
        milter_wire_add_string(out, text);
    milter_wire_end(out, begun);
}

bool milter_server_hold(struct milter_server *s, struct buf *out, struct slice reason)
{
    size_t begun;

    if ((s->actions & MILTER_CAN_QUARANTINE) == 0)
        return false;
    begun = milter_wire_begin(out, MILTER_QUARANTINE);
    milter_wire_add_string(out, reason);
    milter_wire_end(out, begun);
    return true;
}
