#include "collect/queue_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sys/program.h"

enum {
    SHARE = 100, /* of the time, one part */
    EVERY_MIN_MS = 10000,
    EVERY_MAX_MS = 600000,
    RUN_MAX_MS = EVERY_MAX_MS / SHARE
};

static void start(struct queue_watch *w, int64_t now_ms)
{
    const char *argv[] = {w->program, "-j", NULL};
    struct program_files files = {-1, -1, -1, -1};
    struct err e;
    int ends[2];

    w->started_ms = now_ms;
    w->next_ms = now_ms + EVERY_MAX_MS;
    w->lines = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        w->is_known = false;
        return;
    }
    files.out = ends[1];
    w->child = program_start(argv, &files, &e);
    (void)close(ends[1]);
    w->fd = ends[0];
    if (w->child > 0) {
        (void)fcntl(w->fd, F_SETFL, O_NONBLOCK);
        return;
    }
    (void)close(w->fd);
    w->is_known = false;
}

static void close_output(struct queue_watch *w, int64_t now_ms)
{
    (void)close(w->fd);
    w->fd = -1;
    w->over_ms = now_ms;
}

static void drain(struct queue_watch *w, int64_t now_ms)
{
    char bytes[65536];
    ssize_t n = read(w->fd, bytes, sizeof bytes);

    for (ssize_t i = 0; i < n; i++)
        w->lines += bytes[i] == '\n';
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_output(w, now_ms);
}

static void ended(struct queue_watch *w, bool is_good)
{
    int64_t every_ms = SHARE * (w->over_ms - w->started_ms);

    if (every_ms < EVERY_MIN_MS)
        every_ms = EVERY_MIN_MS;
    w->next_ms = w->over_ms + (every_ms < EVERY_MAX_MS ? every_ms : EVERY_MAX_MS);
    w->is_known = is_good;
    w->messages = w->lines;
    w->child = 0;
}

void queue_watch_run(struct queue_watch *w, int64_t now_ms)
{
    bool is_late = now_ms - w->started_ms > RUN_MAX_MS;
    int status = 0;
    pid_t pid;

    if (w->child <= 0) {
        if (now_ms >= w->next_ms)
            start(w, now_ms);
        return;
    }
    if (w->fd >= 0)
        drain(w, now_ms);
    if (is_late) {
        (void)kill(-w->child, SIGKILL);
        if (w->fd >= 0)
            close_output(w, now_ms);
    }
    if (w->fd >= 0)
        return;
    pid = waitpid(w->child, &status, WNOHANG);
    if (pid != 0)
        ended(w, pid == w->child && !is_late && status == 0);
}

int queue_watch_fd(const struct queue_watch *w)
{
    return w->child > 0 ? w->fd : -1;
}

void queue_watch_fini(struct queue_watch *w)
{
    if (w->child <= 0)
        return;
    (void)kill(-w->child, SIGKILL);
    while (waitpid(w->child, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (w->fd >= 0)
        (void)close(w->fd);
    w->child = 0;
}
