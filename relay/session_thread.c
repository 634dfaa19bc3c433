#include "relay/session_thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/net.h"
#include "relay/tls.h"

#define READ_BYTES   16384
#define ERRORS_MAX   20
#define COMMANDS_MAX 1000
#define LINGER_MS    2000

void session_thread_init(struct session_thread *t, struct relay *relay, int fd,
                         const struct sockaddr *from, uint16_t server_port, bool begins_with_tls)
{
    *t = (struct session_thread){
        .relay = relay, .server_port = server_port, .begins_with_tls = begins_with_tls};
    t->stream = (struct stream){.fd = fd};
    net_address_text(from, t->client_ip, &t->client_port);
}

void session_thread_close(struct session_thread *t)
{
    stream_close(&t->stream);
}

void session_thread_stop(struct session_thread *t)
{
    atomic_store(&t->is_stopping, true);
    if (atomic_load(&t->is_idle))
        (void)shutdown(t->stream.fd, SHUT_RD);
}

void session_thread_evict(struct session_thread *t)
{
    atomic_store(&t->is_evicted, true);
    (void)shutdown(t->stream.fd, SHUT_RD);
}

/* --- one session ----------------------------------------------------------------------------- */

struct dialog {
    struct session_thread *thread;
    struct reception reception;
    struct smtp_session session;
    int64_t began_ms; /* the command or text in progress; monotonic clock */
    char block[READ_BYTES];
};

static int64_t deadline(const struct dialog *d)
{
    const struct settings *s = d->thread->relay->settings;
    int64_t earned_ms = 0;

    if (d->session.in_text)
        earned_ms = (int64_t)(d->session.text_bytes / (uint64_t)s->relay.min_rate_bytes) * 1000;
    return d->began_ms + s->relay.timeout_ms + earned_ms;
}

static bool flush(struct dialog *d)
{
    int64_t until = clock_monotonic_ms() + d->thread->relay->settings->relay.timeout_ms;
    int result = stream_write(&d->thread->stream, buf_slice(&d->session.out), until);

    buf_reset(&d->session.out);
    return result == 0;
}

static bool is_idle(const struct dialog *d)
{
    return !d->session.has_mail && !d->session.in_text;
}

/* The time starts with each command and with the text of a message; not with each portion, however
 * small. */
static void take(struct dialog *d, struct slice in)
{
    bool was_text = d->session.in_text;
    size_t unfinished = d->session.line.len, len = in.len;
    bool same_line, same_text;

    smtp_session_take(&d->session, &in);
    same_line = unfinished > 0 && d->session.line.len == unfinished + len;
    same_text = was_text && d->session.in_text;
    if (!same_line && !same_text)
        d->began_ms = clock_monotonic_ms();
}

/* AUTH shows the password to anybody who listens: only under TLS, or on this machine. */
static bool offers_auth(const struct dialog *d)
{
    const struct session_thread *t = d->thread;

    return t->relay->auth != NULL && (t->stream.ssl != NULL || net_is_loopback(t->client_ip));
}

static bool handshake(struct dialog *d)
{
    struct session_thread *t = d->thread;
    int64_t until = clock_monotonic_ms() + t->relay->settings->relay.timeout_ms;
    struct err err = {.code = 0};

    if (stream_tls(&t->stream, tls_accept(t->relay->tls_server), until, &err) != 0) {
        log_event(LOG_NOTICE, "TLS handshake failed", LOG_STR("client", t->client_ip),
                  LOG_ERROR("error", &err));
        return false;
    }
    reception_tls(&d->reception, SSL_get_version(t->stream.ssl), SSL_get_cipher(t->stream.ssl),
                  SSL_get_cipher_bits(t->stream.ssl, NULL));
    return true;
}

/* After STARTTLS. Bytes that came with that command were discarded with their block; bytes that are
 * still in the socket become part of the handshake, which fails then. */
static void begin_tls(struct dialog *d)
{
    if (!flush(d) || !handshake(d)) {
        smtp_session_end(&d->session, NULL);
        return;
    }
    smtp_session_tls(&d->session, offers_auth(d));
    d->began_ms = clock_monotonic_ms();
}

/* False: the client says nothing, so there is nothing to wait for when the connection is closed. */
static bool on_silence(struct dialog *d, ssize_t n)
{
    bool is_late = n < 0 && errno == ETIMEDOUT;

    if (atomic_load(&d->thread->is_stopping))
        smtp_session_end(&d->session, "421 4.3.2 Shutting down");
    else if (atomic_load(&d->thread->is_evicted))
        smtp_session_end(&d->session, "421 4.7.0 Too many connections");
    else if (is_late)
        smtp_session_end(&d->session, "421 4.4.2 Timeout");
    else
        smtp_session_end(&d->session, NULL);
    return !is_late;
}

/* The client's next bytes, as stream_read. */
static ssize_t hear(struct dialog *d)
{
    struct session_thread *t = d->thread;
    bool idle = is_idle(d);
    ssize_t n = 0;

    atomic_store(&t->is_idle, idle);
    atomic_store(&t->waiting_since_ms, d->session.in_text ? clock_monotonic_ms() : d->began_ms);
    if (!atomic_load(&t->is_stopping) || !idle)
        n = stream_read(&t->stream, d->block, sizeof d->block, deadline(d));
    atomic_store(&t->waiting_since_ms, 0);
    atomic_store(&t->is_idle, false);
    return n;
}

static void converse(struct dialog *d)
{
    struct session_thread *t = d->thread;
    bool may_say_more = true;

    if (t->begins_with_tls && !handshake(d))
        return;
    d->session.has_tls = t->begins_with_tls;
    d->session.offers_tls = t->relay->tls_server != NULL;
    d->session.offers_auth = offers_auth(d);
    smtp_session_start(&d->session);
    d->began_ms = clock_monotonic_ms();
    while (flush(d) && !d->session.is_closed) {
        ssize_t n = hear(d);

        if (n > 0)
            take(d, (struct slice){d->block, (size_t)n});
        else
            may_say_more = on_silence(d, n);
        if (d->session.wants_tls)
            begin_tls(d);
    }
    d->session.handler->reset(d->session.user);
    if (may_say_more)
        stream_linger(&t->stream, clock_monotonic_ms() + LINGER_MS);
}

void session_thread_run(struct session_thread *t)
{
    const struct settings *s = t->relay->settings;
    struct smtp_limits limits = {.message_max_bytes = (uint64_t)s->relay.message_max_bytes,
                                 .recipients_max = (size_t)s->relay.recipients_max,
                                 .errors_max = ERRORS_MAX,
                                 .commands_max = COMMANDS_MAX + (size_t)s->relay.recipients_max};
    struct dialog *d = calloc(1, sizeof *d);

    if (d == NULL)
        return;
    log_event(LOG_DEBUG, "connect", LOG_STR("client", t->client_ip));
    d->thread = t;
    reception_init(&d->reception, t->relay, t->client_ip, t->client_port, t->server_port);
    smtp_session_init(&d->session, &reception_handler, &d->reception, t->relay->hostname, &limits);
    converse(d);
    smtp_session_fini(&d->session);
    reception_fini(&d->reception);
    log_event(LOG_DEBUG, "disconnect", LOG_STR("client", t->client_ip));
    free(d);
}
