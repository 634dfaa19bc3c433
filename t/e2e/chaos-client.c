/*
 * chaos-client SOCKET BOOK MESSAGES DOMAINS CONNECTIONS FIRST STEP PACE
 *
 * Sends messages to a milter that is killed, stopped and started at will, until so many were
 * accepted, and writes down what it is told, each line with one write(2), so that it stands in the
 * book whatever becomes of this program:
 *
 *     E NUMBER BYTES    before the end of the message is sent: from here on nobody knows
 *     T NUMBER          it was accepted
 *     R NUMBER          it was refused
 *
 * Numbers are FIRST, FIRST + STEP ...; the queue id is CNUMBER; the recipient is
 * uN@dM.test, N = number % 20, M = number % DOMAINS, and for each tenth message also u0 of the
 * next domain. A message that was refused or of which nobody knows is not sent again. No more
 * than PACE a second are accepted, so that what happens meanwhile happens while mail flows.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/milter_link.h"

enum {
    TIMEOUT_MS = 60000,
    PAUSE_MS = 5,
    SESSION_MESSAGES = 50,
    BODY_MOST = 4000,
    USERS = 20,
    NAME_ROOM = 64
};

static struct {
    const char *socket;
    int book, connections;
    unsigned long messages, domains, step, pace;
    int64_t began_ms;
    _Atomic unsigned long next, accepted;
    char body[BODY_MOST];
} run;

static const char subject[] = " chaos"; /* as it stands behind the colon */

/* The header line and the line between headers and body. */
#define HEAD_BYTES (sizeof "Subject: chaos\r\n" - 1 + 2)

static void note(char what, unsigned long number, size_t bytes)
{
    char line[NAME_ROOM];
    int len = bytes > 0 ? snprintf(line, sizeof line, "%c %lu %zu\n", what, number, bytes)
                        : snprintf(line, sizeof line, "%c %lu\n", what, number);

    if (write(run.book, line, (size_t)len) != len) {
        (void)fprintf(stderr, "chaos-client: the book: %s\n", strerror(errno));
        exit(EX_IOERR);
    }
}

/* 1: go on; 0: refused; -1: the connection is lost. */
static int answered(struct milter_link *l, bool owed)
{
    struct milter_answer a = {.kind = MILTER_CONTINUE};
    struct err err;
    int got;

    if (!owed)
        return 1;
    while ((got = milter_link_next(l, TIMEOUT_MS, &a, &err)) > 0 && !a.is_final)
        continue;
    if (got < 0)
        return -1;
    return a.kind == MILTER_CONTINUE || a.kind == MILTER_ACCEPT;
}

static int recipient(struct milter_link *l, unsigned long user, unsigned long domain)
{
    char path[NAME_ROOM];

    (void)snprintf(path, sizeof path, "<u%lu@d%lu.test>", user % USERS, domain % run.domains);
    return answered(l, milter_client_rcpt(&l->client, slice_str(path), NULL, 0));
}

static int envelope(struct milter_link *l, unsigned long number)
{
    int rc = answered(l, milter_client_mail(&l->client, SLICE("<x@elsewhere.test>"), NULL, 0));

    if (rc == 1)
        rc = recipient(l, number, number);
    if (rc == 1 && number % 10 == 0)
        rc = recipient(l, 0, number + 1);
    return rc;
}

static int content(struct milter_link *l, unsigned long number)
{
    size_t size = 1 + number * 37 % BODY_MOST;
    int rc = answered(l, milter_client_data(&l->client));

    if (rc == 1)
        rc = answered(l, milter_client_header(&l->client, SLICE("Subject"), slice_str(subject)));
    if (rc == 1)
        rc = answered(l, milter_client_eoh(&l->client));
    if (rc == 1)
        rc = answered(l, milter_client_body(&l->client, (struct slice){run.body, size}));
    if (rc != 1)
        return rc;
    note('E', number, HEAD_BYTES + size);
    rc = answered(l, milter_client_eom(&l->client));
    if (rc >= 0)
        note(rc == 1 ? 'T' : 'R', number, 0);
    return rc;
}

static void pace_keep(void)
{
    while ((int64_t)atomic_load(&run.accepted) * 1000 >
           (clock_monotonic_ms() - run.began_ms) * (int64_t)run.pace)
        clock_sleep_ms(PAUSE_MS);
}

/* False when the connection is lost. */
static bool message(struct milter_link *l, struct milter_macro *queue_id, unsigned long number)
{
    char text[NAME_ROOM];
    int rc;

    pace_keep();
    (void)snprintf(text, sizeof text, "C%lu", number);
    queue_id->value = slice_str(text);
    rc = envelope(l, number);
    if (rc == 1)
        rc = content(l, number);
    if (rc == 1)
        (void)atomic_fetch_add(&run.accepted, 1);
    if (rc == 0)
        clock_sleep_ms(PAUSE_MS);
    if (rc >= 0)
        milter_client_abort(&l->client);
    return rc >= 0;
}

static bool is_done(void)
{
    return atomic_load(&run.accepted) >= run.messages;
}

static void session(void)
{
    struct milter_macro macros[] = {{"i", SLICE("C0")},
                                    {"v", SLICE("Postfix 3.7.11")},
                                    {"j", SLICE("mx.test")},
                                    {"rcpt_mailer", SLICE("virtual")}};
    struct milter_peer peer = {SLICE("client.test"), '4', 4000, SLICE("203.0.113.9")};
    struct milter_link l;
    bool good = milter_link_open(&l, run.socket, TIMEOUT_MS, NULL) == 0;

    if (good) {
        l.client.macros = (struct milter_macros){macros, sizeof macros / sizeof macros[0]};
        good = answered(&l, milter_client_connect(&l.client, &peer)) == 1 &&
               answered(&l, milter_client_helo(&l.client, SLICE("client.test"))) == 1;
    }
    for (int i = 0; good && i < SESSION_MESSAGES && !is_done(); i++)
        good = message(&l, &macros[0], atomic_fetch_add(&run.next, run.step));
    milter_link_close(&l);
    if (!good)
        clock_sleep_ms(PAUSE_MS);
}

static void *worker(void *unused)
{
    while (!is_done())
        session();
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t *threads;

    if (argc != 9)
        return EX_USAGE;
    run.socket = argv[1];
    run.book = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0644);
    run.messages = strtoul(argv[3], NULL, 10);
    run.domains = strtoul(argv[4], NULL, 10);
    run.connections = atoi(argv[5]);
    run.next = strtoul(argv[6], NULL, 10);
    run.step = strtoul(argv[7], NULL, 10);
    run.pace = strtoul(argv[8], NULL, 10);
    run.began_ms = clock_monotonic_ms();
    memset(run.body, 'x', sizeof run.body);
    threads = calloc((size_t)run.connections, sizeof *threads);
    if (run.book < 0 || threads == NULL || run.domains == 0)
        return EX_OSERR;
    for (int i = 0; i < run.connections; i++)
        (void)pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; i < run.connections; i++)
        (void)pthread_join(threads[i], NULL);
    free(threads);
    return EX_OK;
}
