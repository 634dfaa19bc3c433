#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "lib/core/milter_server_work.h"

static void take_offer(struct milter_server *s, struct slice data, struct milter_server_event *e)
{
    uint32_t version, actions, steps;

    if (!slice_take_u32(&data, &version) || !slice_take_u32(&data, &actions) ||
        !slice_take_u32(&data, &steps)) {
        milter_server_bad(e, "the negotiation is too short");
        return;
    }
    if (version < VERSION_MIN || version > INT32_MAX) {
        milter_server_bad(e, "the protocol version is too old");
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
            milter_server_bad(e, "the client's address is none");
        e->peer.address = slice_str(e->address);
        break;
    case 'L':
        if (strlen(address.ptr) >= PATH_ROOM)
            milter_server_bad(e, "the client's path is too long");
        break;
    default:
        milter_server_bad(e, "the client's address family is unknown");
    }
}

void milter_server_peer_take(struct slice data, struct milter_server_event *e)
{
    struct slice head;

    if (!milter_wire_take_string(&data, &e->peer.name) || !slice_take(&data, 1, &head)) {
        milter_server_bad(e, "the connect packet is too short");
        return;
    }
    e->peer.family = head.ptr[0];
    if (e->peer.family == 'U')
        return;
    if (!slice_take(&data, 2, &head) || data.len == 0 || data.ptr[data.len - 1] != '\0') {
        milter_server_bad(e, "the connect packet is too short");
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
        milter_server_bad(e, "a header packet is not two strings");
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
        milter_server_bad(e, "an address does not end");
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
        milter_server_bad(e, "a macro has no value");
        break;
    case MILTER_MACROS_FULL:
        milter_server_bad(e, "too many bytes of macros");
        break;
    case MILTER_MACROS_SET:
        break;
    }
}

void milter_server_data(struct milter_server *s, char command, struct slice data,
                        struct milter_server_event *e)
{
    switch (command) {
    case MILTER_MACRO:
        take_macros(s, data, e);
        break;
    case MILTER_OPTNEG:
        take_offer(s, data, e);
        break;
    case MILTER_CONNECT:
        milter_server_peer_take(data, e);
        buf_reset(&s->peer);
        buf_add(&s->peer, data);
        break;
    case MILTER_QUIT_NC:
        buf_reset(&s->peer);
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
