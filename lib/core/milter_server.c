#include "lib/core/milter_server.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* The states of libmilter's engine, in its order: where a step was declined its state may be
 * skipped on the way to a later one. */
enum milter_server_state {
    ST_INIT,
    ST_OPTS,
    ST_CONN,
    ST_HELO,
    ST_MAIL,
    ST_RCPT,
    ST_DATA,
    ST_HDRS,
    ST_EOHS,
    ST_BODY,
    ST_ENDM,
    ST_QUIT,
    ST_ABRT,
    ST_UNKN,
    ST_Q_NC,
    STATES
};

#define TO(state) (1u << (state))
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

/* What is asked of the MTA, if it offers it. */
#define WANTED_STEPS                                                                               \
    (MILTER_NO_DATA | MILTER_NO_EOH | MILTER_NO_UNKNOWN | MILTER_NR_CONNECT | MILTER_NR_HELO |     \
     MILTER_NR_HEADER | MILTER_NR_BODY | MILTER_LEAD_SPACE)
#define WANTED_ACTIONS (MILTER_CAN_QUARANTINE | MILTER_CAN_SET_SYMLIST)
/* What an MTA offers that says nothing: version 1 of the protocol. */
#define FIRST_ACTIONS 0x0fu
#define FIRST_STEPS   0x3fu
/* Bits that Sendmail and libmilter keep for themselves. */
#define INTERNAL_STEPS 0x70000000u
#define VERSION_MIN    2u

static const struct milter_server_command commands[] = {
    {MILTER_MACRO, false, STATES, MILTER_SERVER_MORE, -1, 0},
    {MILTER_HEADER, false, ST_HDRS, MILTER_SERVER_HEADER, -1, MILTER_NR_HEADER},
    {MILTER_BODY, false, ST_BODY, MILTER_SERVER_BODY, -1, MILTER_NR_BODY},
    {MILTER_RCPT, false, ST_RCPT, MILTER_SERVER_RCPT, MILTER_STAGE_DATA, 0},
    {MILTER_MAIL, false, ST_MAIL, MILTER_SERVER_MAIL, MILTER_STAGE_RCPT, 0},
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
}

void milter_server_fini(struct milter_server *s)
{
    milter_macro_store_fini(&s->macros);
}

void milter_server_reset(struct milter_server *s)
{
    struct milter_macro_store macros = s->macros;

    buf_reset(&macros.kept);
    *s = (struct milter_server){.macros = macros, .state = ST_INIT};
}

static bool is_in_mail(unsigned state)
{
    return state >= ST_MAIL && state < ST_ENDM;
}

bool milter_server_in_mail(const struct milter_server *s)
{
    return is_in_mail(s->state);
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
        s->aborts = s->aborts || is_in_mail(s->state);
        s->state = ST_HELO;
        if (!may_follow(s->state, c->state))
            return false;
    }
    s->state = s->event = c->state;
    return true;
}

static void bad(struct milter_server_event *e, const char *problem)
{
    e->what = MILTER_SERVER_BAD;
    e->problem = problem;
}

/* --- the data of each packet
 * -------------------------------------------------------------------------------------- */

static void take_offer(struct milter_server *s, struct slice data, struct milter_server_event *e)
{
    uint32_t version, actions, steps;

    if (!slice_take_u32(&data, &version) || !slice_take_u32(&data, &actions) ||
        !slice_take_u32(&data, &steps)) {
        bad(e, "the negotiation is too short");
        return;
    }
    if (version < VERSION_MIN || version > INT32_MAX) {
        bad(e, "the protocol version is too old");
        return;
    }
    s->version = version < MILTER_VERSION ? version : MILTER_VERSION;
    s->actions = (actions != 0 ? actions : FIRST_ACTIONS) & WANTED_ACTIONS;
    s->offered = (steps != 0 ? steps : FIRST_STEPS) & ~INTERNAL_STEPS;
    s->steps = s->offered & WANTED_STEPS;
    s->is_negotiated = true;
}

static bool inet_text(int family, const char *text, char out[46])
{
    unsigned char binary[sizeof(struct in6_addr)];
    struct in_addr v4;

    if (family == AF_INET)
        return inet_aton(text, &v4) != 0 && inet_ntop(AF_INET, &v4, out, 46) != NULL;
    if (strncasecmp(text, "IPv6:", 5) == 0)
        text += 5;
    return inet_pton(AF_INET6, text, binary) == 1 && inet_ntop(AF_INET6, binary, out, 46) != NULL;
}

/* The text of an address ends in a NUL. */
static void take_address(struct slice address, struct milter_server_event *e)
{
    enum { PATH_ROOM = 108 };

    switch (e->peer.family) {
    case '4':
    case '6':
        if (!inet_text(e->peer.family == '4' ? AF_INET : AF_INET6, address.ptr, e->address))
            bad(e, "the client's address is none");
        e->peer.address = slice_str(e->address);
        break;
    case 'L':
        if (strlen(address.ptr) >= PATH_ROOM)
            bad(e, "the client's path is too long");
        break;
    default:
        bad(e, "the client's address family is unknown");
    }
}

static void take_peer(struct slice data, struct milter_server_event *e)
{
    struct slice head;

    if (!milter_wire_take_string(&data, &e->peer.name) || !slice_take(&data, 1, &head)) {
        bad(e, "the connect packet is too short");
        return;
    }
    e->peer.family = head.ptr[0];
    if (e->peer.family == 'U')
        return;
    if (!slice_take(&data, 2, &head) || data.len == 0 || data.ptr[data.len - 1] != '\0') {
        bad(e, "the connect packet is too short");
        return;
    }
    e->peer.port = (uint16_t)((unsigned char)head.ptr[0] << 8 | (unsigned char)head.ptr[1]);
    take_address(data, e);
}

/* libmilter looks for the end of the name from its second byte on. */
static void take_header(struct slice data, struct milter_server_event *e)
{
    ptrdiff_t end = slice_find(slice_from(data, 1), '\0');
    struct slice name;

    if (data.ptr[data.len - 1] != '\0' || end < 0 || (size_t)end + 2 >= data.len) {
        bad(e, "a header packet is not two strings");
        return;
    }
    name = slice_to(data, (size_t)end + 2);
    data = slice_from(data, (size_t)end + 2);
    (void)milter_wire_take_string(&name, &e->text);
    (void)milter_wire_take_string(&data, &e->value);
}

static void take_path(struct slice data, struct milter_server_event *e)
{
    if (!milter_wire_take_string(&data, &e->text))
        bad(e, "an address does not end");
}

/* A HELO that does not end is no event and gets no answer; libmilter goes on. */
static void take_helo(struct slice data, struct milter_server_event *e)
{
    if (data.ptr[data.len - 1] != '\0')
        e->what = MILTER_SERVER_MORE;
}

static int stage_of(char command)
{
    switch (command) {
    case MILTER_CONNECT:
        return MILTER_STAGE_CONNECT;
    case MILTER_HELO:
        return MILTER_STAGE_HELO;
    case MILTER_MAIL:
        return MILTER_STAGE_MAIL;
    case MILTER_RCPT:
        return MILTER_STAGE_RCPT;
    case MILTER_DATA:
        return MILTER_STAGE_DATA;
    case MILTER_EOM:
        return MILTER_STAGE_EOM;
    case MILTER_EOH:
        return MILTER_STAGE_EOH;
    default:
        return -1;
    }
}

/* A packet without one whole string leaves the stage as it is, as one of an unknown stage. */
static void take_macros(struct milter_server *s, struct slice data, struct milter_server_event *e)
{
    int stage = stage_of(data.ptr[0]);
    struct slice strings = slice_from(data, 1);

    if (stage < 0 || slice_find(strings, '\0') < 0)
        return;
    switch (milter_macro_store_set(&s->macros, (enum milter_stage)stage, strings)) {
    case MILTER_MACROS_ODD:
        bad(e, "a macro has no value");
        break;
    case MILTER_MACROS_FULL:
        bad(e, "too many bytes of macros");
        break;
    case MILTER_MACROS_SET:
        break;
    }
}

static void take_data(struct milter_server *s, const struct milter_server_command *c,
                      struct slice data, struct milter_server_event *e)
{
    e->what = c->what;
    if (data.len == 0 && !c->empty_ok) {
        bad(e, "a packet without data");
        return;
    }
    if (c->clears >= 0)
        milter_macro_store_clear(&s->macros, c->clears);
    switch (c->letter) {
    case MILTER_MACRO:
        take_macros(s, data, e);
        break;
    case MILTER_OPTNEG:
        take_offer(s, data, e);
        break;
    case MILTER_CONNECT:
        take_peer(data, e);
        break;
    case MILTER_HELO:
        take_helo(data, e);
        break;
    case MILTER_MAIL:
    case MILTER_RCPT:
        take_path(data, e);
        break;
    case MILTER_HEADER:
        take_header(data, e);
        break;
    default:
        break;
    }
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
        bad(e, "a packet without data");
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
        bad(e, len == 0 ? "a packet of length 0" : "a packet is too long");
        return true;
    }
    if (rest.len == 0)
        return false;
    c = find_command(rest.ptr[0]);
    if (c == NULL) {
        bad(e, "an unknown command");
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

/* 0: every event of that state is answered. */
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
    size_t begun;

    if (kind != MILTER_CONTINUE)
        refused(s);
    if (quiet != 0 && (s->offered & quiet) != 0)
        return;
    begun = milter_wire_begin(out, quiet != 0 ? MILTER_CONTINUE : (char)kind);
    if (quiet == 0 && kind == MILTER_REPLY_CODE)
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
