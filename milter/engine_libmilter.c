#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/net.h"
#include "lib/sys/socket_name.h"
#include "milter/engine.h"
#include "milter/engine_handover.h"
#include "milter/engine_reply.h"
#include "milter/listen.h"

/*
 * The engine on libmilter (8.17 as of Debian 12; written for both its builds, a thread per
 * connection and a pool of workers). The callbacks of one connection come one after the other but
 * on any thread, so all state is kept with smfi_setpriv. close may come without connect, and
 * without negotiation. Nothing here can guard smfi_getsymval, which reads past the end of a macro
 * packet that has a name without a value: only the MTA may reach the socket.
 *
 * Negotiated: no DATA, end-of-header and unknown-command events (the queue id comes with the end of
 * message); header values with their leading blank; no answer to headers. The last saves a round
 * trip per header: through Postfix, messages of 22 headers cost 365 instead of 590 us of processor
 * time in libmilter, and 1,020 instead of 820 passed per second. NR_BODY is not used: with it
 * libmilter drops the end of message if the last packet holds body.
 */

enum {
    PACKET_MAX_BYTES =
        2 << 20, /* a header of 1 MB comes in one packet; libmilter's default is 64 kB */
    POKE_MS = 100,
};

/* A global, because libmilter passes its callbacks no context of the filter's. */
static struct {
    struct dispatch *dispatch;
    struct listen_socket listen;
    bool is_unix;
    char poke[300]; /* where to connect to, to wake the listener */
} engine;

static struct dispatch_connection *connection(SMFICTX *ctx)
{
    return smfi_getpriv(ctx);
}

/* Made on demand: a connection may follow another without a new negotiation. */
static struct dispatch_connection *connection_make(SMFICTX *ctx)
{
    struct dispatch_connection *c = connection(ctx);

    if (c != NULL)
        return c;
    c = dispatch_enter(engine.dispatch);
    if (c != NULL && smfi_setpriv(ctx, c) != MI_SUCCESS) {
        dispatch_leave(c);
        c = NULL;
    }
    return c;
}

static struct slice macro(SMFICTX *ctx, const char *name)
{
    char copy[32];

    (void)snprintf(copy, sizeof copy, "%s", name);
    return slice_str(smfi_getsymval(ctx, copy));
}

/* An MTA without a hold queue gets a 4xx: the message stays with its sender. */
static sfsistat hold(SMFICTX *ctx, const char *reason)
{
    char text[ENGINE_REPLY_BYTES + 1];

    (void)snprintf(text, sizeof text, "%s", reason);
    return smfi_quarantine(ctx, text) == MI_SUCCESS ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

/* libmilter drops a reply whose class differs from the returned status. */
static sfsistat answer(SMFICTX *ctx, const struct session_action *a)
{
    char code[8], enhanced[16], text[ENGINE_REPLY_BYTES + 1];

    if (a->what == SESSION_CONTINUE)
        return SMFIS_CONTINUE;
    if (a->what == SESSION_HOLD)
        return hold(ctx, a->text);
    engine_reply_check(a);
    (void)snprintf(code, sizeof code, "%s", a->code);
    (void)snprintf(enhanced, sizeof enhanced, "%s", a->enhanced);
    engine_reply_text(a->text, text);
    if (smfi_setreply(ctx, code, enhanced, text) != MI_SUCCESS)
        return SMFIS_TEMPFAIL;
    return a->code[0] == '5' ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

/* --- callbacks
 * --------------------------------------------------------------------------------------- */

static void ask_for(SMFICTX *ctx, int stage, const char *names)
{
    char copy[256];

    (void)snprintf(copy, sizeof copy, "%s", names);
    (void)smfi_setsymlist(ctx, stage, copy);
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *our_actions,
                             unsigned long *our_steps, unsigned long *our_f2, unsigned long *our_f3)
{
    struct dispatch_connection *c = connection_make(ctx);

    (void)f2, (void)f3;
    if (c == NULL)
        return SMFIS_REJECT;
    *our_steps =
        steps & (SMFIP_NODATA | SMFIP_NOEOH | SMFIP_NOUNKNOWN | SMFIP_NR_HDR | SMFIP_HDR_LEADSPC);
    *our_actions = actions & (SMFIF_SETSYMLIST | SMFIF_QUARANTINE);
    *our_f2 = *our_f3 = 0;
    dispatch_lead(c, (steps & SMFIP_HDR_LEADSPC) != 0);
    if ((actions & SMFIF_SETSYMLIST) != 0) {
        ask_for(ctx, SMFIM_CONNECT, "j {daemon_name} v {client_addr}");
        ask_for(ctx, SMFIM_ENVFROM, "i {mail_addr} {auth_authen} {auth_type}");
        ask_for(ctx, SMFIM_ENVRCPT, "i {rcpt_addr} {rcpt_mailer} {rcpt_host}");
        ask_for(ctx, SMFIM_EOM, "i");
    }
    return SMFIS_CONTINUE;
}

static void client_fill(struct session_client *client, const char *host, const _SOCK_ADDR *address,
                        char text[INET6_ADDRSTRLEN])
{
    const struct sockaddr_in *in = (const void *)address;
    const struct sockaddr_in6 *in6 = (const void *)address;

    *client = (struct session_client){.host = slice_str(host)};
    if (address == NULL)
        return;
    if (address->sa_family == AF_INET) {
        client->family = FAMILY_INET;
        client->port = ntohs(in->sin_port);
        client->address = slice_str(inet_ntop(AF_INET, &in->sin_addr, text, INET6_ADDRSTRLEN));
    } else if (address->sa_family == AF_INET6) {
        client->family = FAMILY_INET6;
        client->port = ntohs(in6->sin6_port);
        client->address = slice_str(inet_ntop(AF_INET6, &in6->sin6_addr, text, INET6_ADDRSTRLEN));
    } else {
        client->family = FAMILY_UNIX;
    }
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
    struct dispatch_connection *c = connection_make(ctx);
    struct session_macros macros = {.version = macro(ctx, "v"),
                                    .client_addr = macro(ctx, "{client_addr}")};
    char text[INET6_ADDRSTRLEN];
    struct session_client client;
    struct session_action a;

    if (c == NULL)
        return SMFIS_TEMPFAIL;
    client_fill(&client, host, address, text);
    a = dispatch_connect(c, &client, &macros);
    return answer(ctx, &a);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
    struct dispatch_connection *c = connection(ctx);
    struct session_action a;

    (void)name;
    if (c == NULL)
        return SMFIS_TEMPFAIL;
    a = dispatch_helo(c);
    return answer(ctx, &a);
}

static sfsistat on_mail(SMFICTX *ctx, char **args)
{
    struct dispatch_connection *c = connection(ctx);
    struct session_macros macros = {.mail_addr = macro(ctx, "{mail_addr}"),
                                    .auth_authen = macro(ctx, "{auth_authen}")};
    struct session_action a;

    if (c == NULL)
        return SMFIS_TEMPFAIL;
    a = dispatch_mail(c, slice_str(args[0]), &macros);
    return answer(ctx, &a);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **args)
{
    struct dispatch_connection *c = connection(ctx);
    struct session_macros macros = {.rcpt_addr = macro(ctx, "{rcpt_addr}"),
                                    .rcpt_mailer = macro(ctx, "{rcpt_mailer}"),
                                    .rcpt_host = macro(ctx, "{rcpt_host}")};
    struct session_action a;

    if (c == NULL)
        return SMFIS_TEMPFAIL;
    a = dispatch_rcpt(c, slice_str(args[0]), &macros);
    return answer(ctx, &a);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct dispatch_connection *c = connection(ctx);

    if (c != NULL)
        dispatch_header(c, slice_str(name), slice_str(value));
    return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *octets, size_t count)
{
    struct dispatch_connection *c = connection(ctx);

    (void)octets;
    if (c == NULL)
        return SMFIS_TEMPFAIL;
    dispatch_body(c, count);
    return SMFIS_CONTINUE;
}

static sfsistat on_end(SMFICTX *ctx)
{
    struct dispatch_connection *c = connection(ctx);
    struct session_macros macros = {.queue_id = macro(ctx, "i")};
    struct session_action a;

    if (c == NULL)
        return SMFIS_TEMPFAIL;
    a = dispatch_end(c, &macros);
    return answer(ctx, &a);
}

static sfsistat on_abort(SMFICTX *ctx)
{
    struct dispatch_connection *c = connection(ctx);

    if (c != NULL)
        dispatch_abort(c);
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
    dispatch_leave(connection(ctx));
    (void)smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

/* --- the engine
 * -------------------------------------------------------------------------------------- */

static int register_filter(struct err *err)
{
    static char name[] = "tollgated";
    struct smfiDesc filter = {.xxfi_name = name,
                              .xxfi_version = SMFI_VERSION,
                              .xxfi_flags = SMFIF_SETSYMLIST | SMFIF_QUARANTINE,
                              .xxfi_connect = on_connect,
                              .xxfi_helo = on_helo,
                              .xxfi_envfrom = on_mail,
                              .xxfi_envrcpt = on_rcpt,
                              .xxfi_header = on_header,
                              .xxfi_body = on_body,
                              .xxfi_eom = on_end,
                              .xxfi_abort = on_abort,
                              .xxfi_close = on_close,
                              .xxfi_negotiate = on_negotiate};

    if (smfi_register(filter) != MI_SUCCESS)
        return err_set(err, EX_SOFTWARE,
                       "libmilter rejects the filter: its version differs from the one built with");
    (void)smfi_setmaxdatasize(PACKET_MAX_BYTES);
    return 0;
}

/* libmilter's form: port@host, and inet6 for IPv6. */
static int set_address(const struct socket_name *name, const char *text, struct err *err)
{
    char conn[300];

    if (engine.is_unix)
        (void)snprintf(conn, sizeof conn, "unix:%s", engine.listen.made);
    else
        (void)snprintf(conn, sizeof conn, "%s:%u@%s",
                       name->family == SOCKET_INET6 ? "inet6" : "inet", name->port, name->host);
    (void)snprintf(engine.poke, sizeof engine.poke, "%s", conn);
    if (smfi_setconn(conn) != MI_SUCCESS)
        return err_set(err, EX_CONFIG, "milter.socket: %s: libmilter does not accept this address",
                       text);
    return 0;
}

static int open_named(const struct settings *s, const struct socket_name *name, int owner,
                      struct err *err)
{
    engine.is_unix = name->family == SOCKET_UNIX;
    if (engine.is_unix && listen_prepare(&engine.listen, name->path, err) != 0)
        return -1;
    if (register_filter(err) != 0 || set_address(name, s->milter.socket, err) != 0)
        return -1;
    if (smfi_opensocket(false) != MI_SUCCESS) /* it leaves the errno of socket(2) or bind(2) */
        return listen_failed(s->milter.socket, err);
    if (!engine.is_unix)
        return 0;
    return listen_place(&engine.listen, s->milter.mode, owner, s->milter.group, err);
}

static int open_libmilter(const struct settings *settings, int owner, struct err *err)
{
    struct arena arena;
    struct socket_name name;
    int done;

    engine_heritage_refuse();
    arena_init(&arena, 4096);
    done = socket_name_parse(slice_str(settings->milter.socket), &arena, &name, err);
    if (done == 0)
        done = open_named(settings, &name, owner, err);
    arena_fini(&arena);
    return done;
}

static int run_libmilter(struct dispatch *g, const struct settings *settings, struct err *err)
{
    engine.dispatch = g;
    (void)smfi_settimeout((int)(settings->milter.timeout_ms / 1000));
    if (smfi_main() != MI_SUCCESS)
        return err_set(err, EX_OSERR, "libmilter stopped serving %s", settings->milter.socket);
    return 0;
}

static void *run_stop(void *unused)
{
    (void)smfi_stop();
    return unused;
}

/* smfi_stop waits for a lock that the listener holds while it waits for connections: 5 s, or until
 * one comes. */
static void stop_libmilter(void)
{
    pthread_t stopper;

    if (pthread_create(&stopper, NULL, run_stop, NULL) == 0)
        (void)pthread_detach(stopper);
}

static void nudge_libmilter(void)
{
    struct err ignored;
    int fd;

    if (engine.is_unix)
        listen_poke(&engine.listen);
    else if ((fd = net_connect(engine.poke, clock_monotonic_ms() + POKE_MS, &ignored)) >= 0)
        (void)close(fd);
}

static void close_libmilter(void)
{
    if (engine.is_unix)
        listen_remove(&engine.listen);
}

const struct engine engine_libmilter = {.name = "libmilter",
                                        .open = open_libmilter,
                                        .run = run_libmilter,
                                        .stop = stop_libmilter,
                                        .nudge = nudge_libmilter,
                                        .close = close_libmilter};
