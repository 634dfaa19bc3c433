/*
 * milter-bench SOCKET CONNECTIONS MESSAGES HEADERS BODY_BYTES [PER_SESSION [DOMAINS [FIRST]]]
 *
 * Sends MESSAGES through a milter as Postfix would, over CONNECTIONS at a time, PER_SESSION
 * (default 10) messages to a session, and prints one line: messages a second, and the times from
 * MAIL to the last answer. They go from someone@elsewhere.test to alice@example.com; with DOMAINS,
 * from the null sender to alice@dN.test, N from FIRST + 1 to DOMAINS and on from 1.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "lib/sys/milter_link.h"

enum { TIMEOUT_MS = 30000, NAME_ROOM = 64 };

static struct {
    const char *socket;
    int connections, messages, headers, body_bytes, per_session, domains, first;
    atomic_int taken, refused;
    double *ms; /* of each message */
    char *body;
} bench;

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Waits for the answer to an event; false: the message is refused. */
static bool answered(struct milter_link *l, bool owed)
{
    struct milter_answer a = {.kind = MILTER_CONTINUE};
    struct err err;
    int got;

    if (!owed)
        return true;
    while ((got = milter_link_next(l, TIMEOUT_MS, &a, &err)) > 0 && !a.is_final)
        continue;
    if (got < 0) {
        (void)fprintf(stderr, "milter-bench: %s\n", err.text);
        exit(EX_UNAVAILABLE);
    }
    return a.kind == MILTER_CONTINUE || a.kind == MILTER_ACCEPT;
}

static void macros_set(struct milter_link *l, struct milter_macro *list, int number)
{
    static const char queue_ids[] = "4bench";

    (void)number;
    list[0] = (struct milter_macro){"i", SLICE(queue_ids)};
    list[1] = (struct milter_macro){"mail_addr", SLICE("someone@elsewhere.test")};
    list[2] = (struct milter_macro){"rcpt_addr", SLICE("alice@example.com")};
    list[3] = (struct milter_macro){"rcpt_mailer", SLICE("virtual")};
    list[4] = (struct milter_macro){"v", SLICE("Postfix 3.7.11")};
    list[5] = (struct milter_macro){"j", SLICE("mx.example.com")};
    l->client.macros = (struct milter_macros){list, 6};
}

static bool content(struct milter_link *l)
{
    char name[NAME_ROOM];

    if (!answered(l, milter_client_data(&l->client)))
        return false;
    for (int i = 0; i < bench.headers; i++) {
        (void)snprintf(name, sizeof name, "X-Header-%d", i);
        if (!answered(l, milter_client_header(&l->client, slice_str(name),
                                              SLICE(" a value of some length"))))
            return false;
    }
    return answered(l, milter_client_eoh(&l->client)) &&
           answered(l, milter_client_body(&l->client,
                                          (struct slice){bench.body, (size_t)bench.body_bytes})) &&
           answered(l, milter_client_eom(&l->client));
}

static void recipient_make(char recipient[NAME_ROOM], int number)
{
    if (bench.domains == 0)
        (void)snprintf(recipient, NAME_ROOM, "<alice@example.com>");
    else
        (void)snprintf(recipient, NAME_ROOM, "<alice@d%d.test>",
                       (bench.first + number) % bench.domains + 1);
}

static void message(struct milter_link *l, struct milter_macro *rcpt_addr, int number)
{
    char recipient[NAME_ROOM];
    double from = now_ms();
    bool good;

    recipient_make(recipient, number);
    rcpt_addr->value = slice_from(slice_to(slice_str(recipient), strlen(recipient) - 1), 1);
    good = answered(l, milter_client_mail(
                           &l->client,
                           slice_str(bench.domains > 0 ? "<>" : "<someone@elsewhere.test>"), NULL,
                           0)) &&
           answered(l, milter_client_rcpt(&l->client, slice_str(recipient), NULL, 0)) && content(l);

    if (!good)
        (void)atomic_fetch_add(&bench.refused, 1);
    bench.ms[number] = now_ms() - from;
    milter_client_abort(&l->client);
}

static void session(void)
{
    struct milter_link l;
    struct milter_macro macros[6];
    struct milter_peer peer = {SLICE("client.test"), '4', 4000, SLICE("203.0.113.9")};
    struct err err;
    int number;

    if (milter_link_open(&l, bench.socket, TIMEOUT_MS, &err) != 0) {
        (void)fprintf(stderr, "milter-bench: %s\n", err.text);
        exit(EX_UNAVAILABLE);
    }
    macros_set(&l, macros, 0);
    (void)answered(&l, milter_client_connect(&l.client, &peer));
    (void)answered(&l, milter_client_helo(&l.client, SLICE("client.test")));
    for (int i = 0; i < bench.per_session; i++) {
        number = atomic_fetch_add(&bench.taken, 1);
        if (number >= bench.messages)
            break;
        message(&l, &macros[2], number);
    }
    milter_link_close(&l);
}

static void *worker(void *unused)
{
    while (atomic_load(&bench.taken) < bench.messages)
        session();
    return unused;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void run(void)
{
    pthread_t *threads = calloc((size_t)bench.connections, sizeof *threads);
    double from = now_ms(), took;

    for (int i = 0; threads != NULL && i < bench.connections; i++)
        (void)pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; threads != NULL && i < bench.connections; i++)
        (void)pthread_join(threads[i], NULL);
    took = now_ms() - from;
    qsort(bench.ms, (size_t)bench.messages, sizeof *bench.ms, by_size);
    (void)printf("messages=%d refused=%d per_second=%.0f p50_ms=%.2f p99_ms=%.2f max_ms=%.2f\n",
                 bench.messages, atomic_load(&bench.refused), bench.messages / took * 1e3,
                 bench.ms[bench.messages / 2], bench.ms[(int)(bench.messages * 0.99)],
                 bench.ms[bench.messages - 1]);
    free(threads);
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        (void)fprintf(stderr, "usage: milter-bench SOCKET CONNECTIONS MESSAGES HEADERS BODY_BYTES "
                              "[PER_SESSION [DOMAINS [FIRST]]]\n");
        return EX_USAGE;
    }
    bench.socket = argv[1];
    bench.connections = atoi(argv[2]);
    bench.messages = atoi(argv[3]);
    bench.headers = atoi(argv[4]);
    bench.body_bytes = atoi(argv[5]);
    bench.per_session = argc > 6 ? atoi(argv[6]) : 10;
    bench.domains = argc > 7 ? atoi(argv[7]) : 0;
    bench.first = argc > 8 ? atoi(argv[8]) : 0;
    if (bench.connections < 1 || bench.messages < 1 || bench.per_session < 1 || bench.headers < 0 ||
        bench.domains < 0 || bench.first < 0 || bench.body_bytes < 0 ||
        bench.body_bytes > (int)MILTER_CHUNK_BYTES)
        return EX_USAGE;
    bench.ms = calloc((size_t)bench.messages, sizeof *bench.ms);
    bench.body = malloc((size_t)bench.body_bytes + 1);
    if (bench.ms == NULL || bench.body == NULL)
        return EX_OSERR;
    memset(bench.body, 'x', (size_t)bench.body_bytes);
    run();
    return atomic_load(&bench.refused) == 0 ? EX_OK : EX_TEMPFAIL;
}
