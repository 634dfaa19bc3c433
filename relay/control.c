/* The daemon's side of queue_command.h. */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "relay/control.h"
#include "relay/queue_command.h"
#include "relay/stream.h"

#define LINE_BYTES 128
#define ASK_MS     5000

struct relay_control {
    struct queue *queue;
    struct scheduler *scheduler;
    int listener, stop_fd;
    pthread_t thread;
};

static void answer(struct relay_control *c, struct slice line, struct buf *out)
{
    struct slice verb = SLICE_NONE, id = SLICE_NONE;
    struct buf text;
    int result;

    buf_init(&text, 1024);
    (void)slice_word(&line, " ", &verb);
    (void)slice_word(&line, " ", &id);
    result = queue_do(c->queue, c->scheduler, verb, id, &text);
    buf_addf(out, "%s %.*s\n", result == 0 ? "ok" : "error", SLICE_FMT(buf_slice(&text)));
    log_event(LOG_NOTICE, "queue command", LOG_TEXT("verb", verb), LOG_TEXT("id", id),
              LOG_TEXT("answer", buf_slice(&text)));
    buf_fini(&text);
}

static void serve(struct relay_control *c, int fd)
{
    int64_t deadline = clock_monotonic_ms() + ASK_MS;
    struct stream s = {.fd = fd};
    char line[LINE_BYTES];
    struct buf out;
    size_t len = 0;
    ssize_t n = 1;

    buf_init(&out, 2048);
    while (n > 0 && len < sizeof line && memchr(line, '\n', len) == NULL) {
        n = stream_read(&s, line + len, sizeof line - len, deadline);
        len += n > 0 ? (size_t)n : 0;
    }
    if (n > 0 && memchr(line, '\n', len) != NULL) {
        answer(c, slice_trim((struct slice){line, len}), &out);
        (void)stream_write(&s, buf_slice(&out), deadline);
    }
    buf_fini(&out);
    stream_close(&s);
}

static void *run(void *data)
{
    struct relay_control *c = data;

    for (;;) {
        struct pollfd p[2] = {{.fd = c->listener, .events = POLLIN},
                              {.fd = c->stop_fd, .events = POLLIN}};
        int fd;

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            clock_sleep_ms(100);
        if ((p[1].revents & POLLIN) != 0)
            return NULL;
        fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            serve(c, fd);
    }
}

static int listen_at(const char *dir, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (snprintf(a.sun_path, sizeof a.sun_path, "%s/control", dir) >= (int)sizeof a.sun_path) {
        (void)close(fd);
        return err_set(err, EX_CONFIG, "relay.queue_dir is too long for a socket in it: %s", dir);
    }
    (void)unlink(a.sun_path); /* stale: this process holds the queue's lock */
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 10) == 0)
        return fd;
    (void)err_set(err, EX_CANTCREAT, "cannot make the socket %s: %s", a.sun_path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

struct relay_control *control_start(struct queue *q, struct scheduler *s, struct err *err)
{
    struct relay_control *c = calloc(1, sizeof *c);

    if (c == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    c->queue = q;
    c->scheduler = s;
    c->stop_fd = eventfd(0, EFD_CLOEXEC);
    c->listener = listen_at(q->dir, err);
    if (c->listener >= 0 && c->stop_fd >= 0 && pthread_create(&c->thread, NULL, run, c) == 0)
        return c;
    if (c->listener >= 0)
        (void)err_set(err, EX_OSERR, "cannot start the thread for queue commands");
    free(c);
    return NULL;
}

void control_stop(struct relay_control *c)
{
    uint64_t one = 1;

    (void)!write(c->stop_fd, &one, sizeof one);
    (void)pthread_join(c->thread, NULL);
    (void)close(c->listener);
    (void)close(c->stop_fd);
    free(c);
}
