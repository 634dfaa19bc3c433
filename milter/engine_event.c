#include "milter/engine_event.h"

static struct slice macro(const struct engine_connection *c, enum milter_macro_id id)
{
    return milter_macro_store_get(&c->server.macros, id);
}

static struct session_action on_connect(struct engine_connection *c, const struct milter_peer *peer)
{
    struct session_macros macros = {.version = macro(c, MILTER_MACRO_VERSION),
                                    .client_addr = macro(c, MILTER_MACRO_CLIENT_ADDR)};
    struct session_client client = {.host = peer->name, .address = peer->address};

    if (peer->family == '4')
        client.family = FAMILY_INET;
    else if (peer->family == '6')
        client.family = FAMILY_INET6;
    else if (peer->family == 'L')
        client.family = FAMILY_UNIX;
    if (client.family == FAMILY_INET || client.family == FAMILY_INET6)
        client.port = peer->port;
    return dispatch_connect(c->session, &client, &macros);
}

static struct session_action on_mail(struct engine_connection *c, struct slice path)
{
    struct session_macros macros = {.mail_addr = macro(c, MILTER_MACRO_MAIL_ADDR),
                                    .auth_authen = macro(c, MILTER_MACRO_AUTH_AUTHEN)};

    return dispatch_mail(c->session, path, &macros);
}

static struct session_action on_rcpt(struct engine_connection *c, struct slice path)
{
    struct session_macros macros = {.rcpt_addr = macro(c, MILTER_MACRO_RCPT_ADDR),
                                    .rcpt_mailer = macro(c, MILTER_MACRO_RCPT_MAILER),
                                    .rcpt_host = macro(c, MILTER_MACRO_RCPT_HOST)};

    return dispatch_rcpt(c->session, path, &macros);
}

static struct session_action on_end(struct engine_connection *c, size_t bytes)
{
    struct session_macros macros = {.queue_id = macro(c, MILTER_MACRO_QUEUE_ID)};

    if (bytes > 0)
        dispatch_body(c->session, bytes);
    return dispatch_end(c->session, &macros);
}

struct session_action engine_event(struct engine_connection *c, const struct milter_server_event *e)
{
    struct session_action a = {.what = SESSION_CONTINUE};

    switch (e->what) {
    case MILTER_SERVER_CONNECT:
        a = on_connect(c, &e->peer);
        break;
    case MILTER_SERVER_HELO:
        a = dispatch_helo(c->session);
        break;
    case MILTER_SERVER_MAIL:
        a = on_mail(c, e->text);
        break;
    case MILTER_SERVER_RCPT:
        a = on_rcpt(c, e->text);
        break;
    case MILTER_SERVER_HEADER:
        dispatch_header(c->session, e->text, e->value);
        break;
    case MILTER_SERVER_BODY:
        dispatch_body(c->session, e->bytes);
        break;
    default:
        a = on_end(c, e->bytes);
        break;
    }
    return a;
}
