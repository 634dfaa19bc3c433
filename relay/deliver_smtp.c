#include "relay/deliver_smtp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sys/clock.h"
#include "lib/sys/net.h"
#include "relay/stream.h"

#define READ_BYTES 16384
#define COPY_BYTES 65536

struct delivery {
    struct relay *relay;
    const struct queue_file *file;
    struct stream stream;
    struct smtp_client client;
};

static void lost(struct delivery *d, const char *what)
{
    char why[256];

    (void)snprintf(why, sizeof why, "4.4.2 %s: %s", what,
                   errno == 0 ? "connection closed" : strerror(errno));
    smtp_client_lost(&d->client, why);
}

static bool flush(struct delivery *d)
{
    int64_t deadline = clock_monotonic_ms() + d->relay->settings->relay.timeout_ms;
    int result = stream_write(&d->stream, buf_slice(&d->client.out), deadline);

    buf_reset(&d->client.out);
    if (result != 0)
        lost(d, "while sending");
    return result == 0;
}

/* A message that cannot be read must not end with a dot: half of it would be delivered. */
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
    int64_t patience = smtp_client_patience_ms(&d->client, d->relay->settings->relay.timeout_ms);
    char block[READ_BYTES];
    ssize_t n;

    n = stream_read(&d->stream, block, sizeof block, clock_monotonic_ms() + patience);
    if (n == 0)
        errno = 0;
    if (n <= 0)
        lost(d, "while waiting for the server");
    else
        smtp_client_take(&d->client, (struct slice){block, (size_t)n});
}

static void converse(struct delivery *d)
{
    while (!d->client.is_over) {
        if (d->client.out.len > 0 && !flush(d))
            return;
        if (d->client.wants_text)
            send_text(d);
        else
            receive(d);
    }
    (void)flush(d); /* QUIT, whatever comes of it */
}

void deliver_smtp(struct relay *relay, const struct queue_file *f, const char *hop,
                  struct smtp_target *targets, size_t count, struct arena *arena)
{
    struct smtp_job job = {.hostname = relay->hostname,
                           .sender = f->envelope.sender,
                           .smtputf8 = f->envelope.smtputf8,
                           .eightbit = f->envelope.eightbit,
                           .text_bytes = f->envelope.text_bytes,
                           .tls = SMTP_TLS_NEVER,
                           .targets = targets,
                           .target_count = count};
    struct delivery d = {.relay = relay, .file = f, .stream = {.fd = -1}};
    struct err err = {.code = 0};
    char where[320];

    smtp_client_init(&d.client, &job, arena);
    (void)snprintf(where, sizeof where, "inet:%s", hop);
    d.stream.fd =
        net_connect(where, clock_monotonic_ms() + relay->settings->relay.timeout_ms, &err);
    if (d.stream.fd >= 0)
        converse(&d);
    else
        smtp_client_lost(&d.client, err.text);
    stream_close(&d.stream);
    smtp_client_fini(&d.client);
}
