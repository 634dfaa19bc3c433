/* The length of the queue, by programs in place of postqueue: of many lines, that fail, that hang.
 */
#include "t/tap.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "collect/queue_watch.h"

#define WAIT_MS 20000

static char dir[] = "/tmp/tg-queue-XXXXXX";
static char path[100];

static void program(const char *text)
{
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/postqueue", dir);
    (void)remove(path);
    f = fopen(path, "w");
    if (f == NULL || fprintf(f, "#!/bin/sh\n%s\n", text) < 0 || fclose(f) != 0 ||
        chmod(path, 0700) != 0)
        exit(1);
}

/* Until the run has ended; each turn is at that time. */
static void finish(struct queue_watch *w, int64_t now_ms)
{
    while (w->child > 0) {
        struct pollfd p = {.fd = queue_watch_fd(w), .events = POLLIN};

        if (poll(&p, 1, p.fd < 0 ? 1 : WAIT_MS) == 0 && p.fd >= 0)
            exit(1);
        queue_watch_run(w, now_ms);
    }
}

static void test_good(void)
{
    struct queue_watch w = {.program = path};

    program("[ \"$*\" = -j ] && seq 100000");
    queue_watch_run(&w, 1000);
    OK(w.child > 0 && !w.is_known, "it runs");
    finish(&w, 1050);
    OK(w.is_known, "known");
    IS_INT(w.messages, 100000, "a message a line");
    IS_INT(w.next_ms, 11050, "again after 10 s");
    queue_watch_run(&w, 11049);
    OK(w.child == 0, "not before");
    queue_watch_run(&w, 11050);
    OK(w.child > 0 && w.is_known && w.messages == 100000, "the last figure stands meanwhile");
    finish(&w, 11350);
    IS_INT(w.next_ms, 41350, "after 100 times as long as it took");
    queue_watch_run(&w, 41350);
    finish(&w, 41350 + 6000);
    IS_INT(w.next_ms, 41350 + 6000 + 600000, "10 min at most");
    program("exit 0");
    queue_watch_run(&w, 700000);
    finish(&w, 700000);
    OK(w.is_known && w.messages == 0, "an empty queue");
    queue_watch_fini(&w);
}

static void test_failing(void)
{
    struct queue_watch w = {.program = path, .is_known = true, .messages = 7};

    program("echo one; exit 69");
    queue_watch_run(&w, 1000);
    finish(&w, 1000);
    OK(!w.is_known, "a failure is no figure");
    w = (struct queue_watch){.program = "/nonexistent/postqueue", .is_known = true};
    queue_watch_run(&w, 1000);
    OK(w.child <= 0 && !w.is_known, "nor is a program that is not there");
    IS_INT(w.next_ms, 601000, "again after 10 min");
}

/* Its child has the output, too. */
static void test_hanging(void)
{
    struct queue_watch w = {.program = path, .is_known = true};
    pid_t pid;

    program("echo one; sleep 1000 & wait");
    queue_watch_run(&w, 1000);
    pid = w.child;
    queue_watch_run(&w, 7000);
    OK(w.child > 0, "it may run for 6 s");
    queue_watch_run(&w, 7001);
    finish(&w, 7002);
    OK(!w.is_known, "and is killed then");
    IS_INT(w.next_ms, 607001, "again after 10 min");
    OK(kill(pid, 0) != 0, "nothing of it is left");
    queue_watch_run(&w, w.next_ms);
    OK(w.child > 0, "it runs again");
    queue_watch_fini(&w);
    OK(w.child == 0, "and is killed at the end");
}

int main(void)
{
    if (mkdtemp(dir) == NULL)
        return 1;
    test_good();
    test_failing();
    test_hanging();
    OK(remove(path) == 0 && remove(dir) == 0, "removed");
    return tap_done();
}
