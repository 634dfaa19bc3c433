#include "relay/deliver_smtp.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/net.h"
#include "lib/sys/socket_name.h"
#include "relay/mx.h"
#include "relay/smtp_reply.h"
#include "relay/stream.h"
#include "relay/tls.h"

#define READ_BYTES    16384
#define COPY_BYTES    65536
#define ADDRESSES_MAX 10 /* in one attempt */

enum { CONNECT_MAX_MS = 30000 };

/* One connection to one server. */
struct delivery {
    struct relay *relay;
    const struct queue_file *file;
    const char *host;
    struct stream stream;
    struct smtp_client client;
    bool tls_failed;
};

static void lost(struct delivery *d, const char *what)
{
    char why[256];

    (void)snprintf(why, sizeof why, "4.4.2 %s: %s: %s", d->host, what,
                   errno == 0 ? "connection closed" : strerror(errno));
    smtp_client_lost(&d->client, why);
}

static int64_t deadline(const struct delivery *d)
{
    return clock_monotonic_ms() +
           smtp_client_patience_ms(&d->client, d->relay->settings->relay.timeout_ms);
}

static bool flush(struct delivery *d)
{
    int result = stream_write(&d->stream, buf_slice(&d->client.out), deadline(d));

    buf_reset(&d->client.out);
    if (result != 0)
        lost(d, "while sending");
    return result == 0;
}

/* If the message cannot be read to its end, no final dot is sent: half of it would be delivered. */
static void send_text(struct delivery *d)
{
    char *block = malloc(COPY_BYTES);
    ssize_t n = block == NULL ? -1 : 1;

    for (uint64_t at = 0; n > 0; at += (uint64_t)n) {
        n = queue_read(d->file, at, block, COPY_BYTES);
        if (n <= 0)
            break;
        smtp_client_text(&d->client, (struct slice){block, (size_t)n});
        if (!flush(d))
            n = -2;
    }
    free(block);
    if (n == -1)
        smtp_client_lost(&d->client, "4.3.0 The queue file cannot be read");
    else if (n == 0)
        smtp_client_text_end(&d->client);
}

static void receive(struct delivery *d)
{
    char block[READ_BYTES];
    ssize_t n = stream_read(&d->stream, block, sizeof block, deadline(d));

    if (n == 0)
        errno = 0;
    if (n <= 0)
        lost(d, "while waiting for the server");
    else
        smtp_client_take(&d->client, (struct slice){block, (size_t)n});
}

static void begin_tls(struct delivery *d)
{
    char why[640];
    struct err err = {.code = 0};

    if (stream_tls(&d->stream, tls_connect(d->relay->tls_client, d->host), deadline(d), &err) ==
        0) {
        smtp_client_tls(&d->client);
        return;
    }
    d->tls_failed = true;
    (void)snprintf(why, sizeof why, "4.7.5 %s: %s", d->host, err.text);
    smtp_client_lost(&d->client, why);
}

static void converse(struct delivery *d)
{
    while (!d->client.is_over) {
        if (d->client.out.len > 0 && !flush(d))
            return;
        if (d->client.wants_tls)
            begin_tls(d);
        else if (d->client.wants_text)
            send_text(d);
        else
            receive(d);
    }
    (void)flush(d); /* QUIT; its result does not matter */
}

/* --- one server ------------------------------------------------------------------------------ */

struct sending {
    struct relay *relay;
    const struct queue_file *file;
    struct smtp_target *targets;
    size_t count;
    struct arena *arena;
    unsigned tried; /* number of addresses */
};

static enum smtp_tls tls_of(const struct settings *s)
{
    if (s->relay.tls_out == TLS_OUT_NONE)
        return SMTP_TLS_NEVER;
    return s->relay.tls_out == TLS_OUT_MAY ? SMTP_TLS_MAY : SMTP_TLS_MUST;
}

static void forget_outcomes(struct sending *x)
{
    for (size_t i = 0; i < x->count; i++)
        x->targets[i] = (struct smtp_target){.address = x->targets[i].address};
}

/* An unreachable host must not occupy a delivery thread for as long as a slow one may. */
static int64_t connect_deadline(const struct relay *relay)
{
    int64_t timeout_ms = relay->settings->relay.timeout_ms;

    return clock_monotonic_ms() + (timeout_ms < CONNECT_MAX_MS ? timeout_ms : CONNECT_MAX_MS);
}

static void connect_and_send(struct sending *x, struct delivery *d, const char *host,
                             const struct sockaddr_storage *address, enum smtp_tls tls)
{
    socklen_t len =
        address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    struct smtp_job job = {.hostname = x->relay->hostname,
                           .sender = x->file->envelope.sender,
                           .smtputf8 = x->file->envelope.smtputf8,
                           .eightbit = x->file->envelope.eightbit,
                           .text_bytes = x->file->envelope.text_bytes,
                           .tls = tls,
                           .targets = x->targets,
                           .target_count = x->count};

    *d = (struct delivery){.relay = x->relay, .file = x->file, .host = host, .stream = {.fd = -1}};
    forget_outcomes(x);
    smtp_client_init(&d->client, &job, x->arena);
    d->stream.fd =
        net_connect_address((const struct sockaddr *)address, len, connect_deadline(x->relay));
    if (d->stream.fd >= 0)
        converse(d);
    else
        lost(d, "cannot connect");
    stream_close(&d->stream);
    smtp_client_fini(&d->client);
}

/* True: the server has replied to MAIL, and its outcome stands. False: the next address may accept
 * the message. */
static bool try_address(struct sending *x, const char *host, const struct sockaddr_storage *address)
{
    enum smtp_tls tls = tls_of(x->relay->settings);
    struct delivery d;

    connect_and_send(x, &d, host, address, tls);
    if (d.tls_failed && tls == SMTP_TLS_MAY) {
        log_event(LOG_NOTICE, "TLS failed, sending without", LOG_STR("server", host),
                  LOG_TEXT("qid", x->file->envelope.id));
        connect_and_send(x, &d, host, address, SMTP_TLS_NEVER);
    }
    return d.client.state >= SMTP_CLIENT_MAIL;
}

static void settle_all(struct sending *x, enum smtp_outcome outcome, const char *text)
{
    for (size_t i = 0; i < x->count; i++) {
        x->targets[i].outcome = outcome;
        x->targets[i].text = smtp_reply_clean(slice_str(text), x->arena);
    }
}

/* --- which server ---------------------------------------------------------------------------- */

static void by_mx(struct sending *x, struct slice domain)
{
    const struct settings *s = x->relay->settings;
    struct mx_self self = {.hostname = x->relay->hostname, .own = &x->relay->own};
    struct mx_list *list = arena_alloc(x->arena, sizeof *list);
    struct err err = {.code = 0};
    enum mx_result found;

    if (list == NULL) {
        settle_all(x, SMTP_OUTCOME_LATER, "451 4.3.0 Out of memory");
        return;
    }
    found = mx_find(domain, s->relay.resolver, &self, (uint16_t)s->relay.smtp_port, x->arena, list,
                    &err);
    if (found != MX_FOUND) {
        settle_all(x, found == MX_NEVER ? SMTP_OUTCOME_NEVER : SMTP_OUTCOME_LATER, err.text);
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = 0; j < list->hosts[i].address_count; j++) {
            if (x->tried++ == ADDRESSES_MAX ||
                try_address(x, list->hosts[i].name, &list->hosts[i].addresses[j]))
                return;
        }
    }
}

static void by_next_hop(struct sending *x, const char *hop)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    struct socket_name name;
    struct err err = {.code = 0};
    char port[8];

    if (socket_name_host_port_parse(slice_str(hop), x->arena, &name, &err) != 0) {
        settle_all(x, SMTP_OUTCOME_LATER, err.text);
        return;
    }
    (void)snprintf(port, sizeof port, "%u", (unsigned)name.port);
    if (getaddrinfo(name.host, port, &hints, &list) != 0) {
        settle_all(x, SMTP_OUTCOME_LATER, "451 4.4.3 The next hop's name cannot be resolved");
        return;
    }
    for (const struct addrinfo *a = list; a != NULL && x->tried++ < ADDRESSES_MAX; a = a->ai_next) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};

        memcpy(&address, a->ai_addr, a->ai_addrlen);
        if (try_address(x, name.host, &address))
            break;
    }
    freeaddrinfo(list);
}

void deliver_smtp(struct relay *relay, const struct queue_file *f, struct slice domain,
                  struct smtp_target *targets, size_t count, struct arena *arena)
{
    struct sending x = {
        .relay = relay, .file = f, .targets = targets, .count = count, .arena = arena};
    const char *hop = relay->settings->relay.next_hop;

    if (hop[0] != '\0')
        by_next_hop(&x, hop);
    else
        by_mx(&x, domain);
}
