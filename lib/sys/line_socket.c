#include "lib/sys/line_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/slice.h"
#include "lib/sys/clock.h"
#include "lib/sys/json.h"

#define BACKLOG 16

json_t *line_socket_error(const char *text)
{
    return json_pack("{s:o}", "error", json_text(slice_str(text)));
}

bool line_socket_is_stopping(const struct line_socket *l)
{
    struct pollfd p = {.fd = l->wake[0], .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

/* --- a connection ---------------------------------------------------------------------------- */

static bool send_all(const struct line_socket *l, int fd, struct slice text)
{
    while (text.len > 0) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        ssize_t sent = poll(&p, 1, l->silence_ms) == 1
                           ? send(fd, text.ptr, text.len, MSG_NOSIGNAL | MSG_DONTWAIT)
                           : -1;

        if (sent <= 0)
            return false;
        text = (struct slice){text.ptr + sent, text.len - (size_t)sent};
    }
    return true;
}

static bool answer_line(struct line_socket *l, int fd, struct slice line)
{
    json_error_t why;
    json_t *request = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, &why);
    json_t *answer = request != NULL ? l->answer(l->context, request) : line_socket_error(why.text);
    char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
    bool good = text != NULL && send_all(l, fd, slice_str(text)) && send_all(l, fd, SLICE("\n"));

    free(text);
    json_decref(answer);
    json_decref(request);
    return good;
}

/* Answers lines until the other side closes, is silent for too long, or sends too long a line, or
 * until line_socket_stop. */
static void serve(struct line_socket *l, int fd)
{
    char line[LINE_SOCKET_BYTES];
    size_t len = 0;

    for (;;) {
        struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = l->wake[0], .events = POLLIN}};
        ssize_t got;
        char *end;

        if (poll(p, 2, l->silence_ms) <= 0 || p[1].revents != 0 || len == sizeof line)
            return;
        got = recv(fd, line + len, sizeof line - len, 0);
        if (got <= 0)
            return;
        len += (size_t)got;
        while ((end = memchr(line, '\n', len)) != NULL) {
            size_t used = (size_t)(end - line) + 1;

            if (!answer_line(l, fd, (struct slice){line, used - 1}))
                return;
            len -= used;
            memmove(line, line + used, len);
        }
    }
}

static void *run(void *context)
{
    struct line_socket *l = context;

    for (;;) {
        struct pollfd p[2] = {{.fd = l->listener, .events = POLLIN},
                              {.fd = l->wake[0], .events = POLLIN}};
        int fd;

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (p[1].revents != 0)
            return NULL;
        fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            clock_sleep_ms(100); /* out of descriptors, most likely */
            continue;
        }
        serve(l, fd);
        (void)close(fd);
    }
}

/* --- life ----------------------------------------------------------------------------------- */

/* Only one tollgated has the state directory, so a socket there was left by one that died. */
static int listen_at(struct line_socket *l, const char *state_dir, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int len = snprintf(l->path, sizeof l->path, "%s/%s.sock", state_dir, l->name);

    if (len >= (int)sizeof l->path)
        return err_set(err, EX_CONFIG, "state_dir: the path is too long");
    memcpy(a.sun_path, l->path, (size_t)len + 1);
    (void)unlink(l->path);
    l->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->listener < 0 || fchmod(l->listener, l->mode) != 0 ||
        bind(l->listener, (const struct sockaddr *)&a, sizeof a) != 0 ||
        chmod(l->path, l->mode) != 0 || listen(l->listener, BACKLOG) != 0)
        return err_set(err, EX_CANTCREAT, "%s: cannot listen: %s", l->path, strerror(errno));
    return 0;
}

int line_socket_start(struct line_socket *l, const char *state_dir, struct err *err)
{
    l->listener = l->wake[0] = l->wake[1] = -1;
    l->has_thread = false;
    l->is_open = true;
    if (listen_at(l, state_dir, err) != 0)
        return -1;
    if (pipe2(l->wake, O_CLOEXEC) != 0 || pthread_create(&l->thread, NULL, run, l) != 0)
        return err_set(err, EX_OSERR, "cannot start the thread of %s: %s", l->name,
                       strerror(errno));
    l->has_thread = true;
    return 0;
}

void line_socket_stop(struct line_socket *l)
{
    if (!l->is_open)
        return;
    if (l->has_thread) {
        (void)!write(l->wake[1], "", 1);
        (void)pthread_join(l->thread, NULL);
    }
    if (l->listener >= 0) {
        (void)close(l->listener);
        (void)unlink(l->path);
    }
    for (int i = 0; i < 2; i++)
        if (l->wake[i] >= 0)
            (void)close(l->wake[i]);
    l->is_open = false;
}
