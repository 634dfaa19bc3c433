#include "lib/sys/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/core/slice.h"

enum {
    FIRST_FD = 3,        /* SD_LISTEN_FDS_START */
    FDS_A_MESSAGE = 200, /* the kernel takes 253 */
};

/* --- descriptors of the start
 * ------------------------------------------------------------------------------------------- */

static bool number_of(const char *name, uint64_t *value)
{
    return slice_number(slice_str(getenv(name)), value);
}

void systemd_fds_take(struct systemd_fds *f)
{
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t pid, count;

    *f = (struct systemd_fds){.first = FIRST_FD};
    if (!number_of("LISTEN_PID", &pid) || !number_of("LISTEN_FDS", &count) ||
        pid != (uint64_t)getpid() || count > SYSTEMD_FDS_MAX)
        return;
    f->count = (int)count;
    f->names = strdup(names != NULL ? names : "");
    for (int fd = f->first; fd < f->first + f->count; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
}

void systemd_fds_fini(struct systemd_fds *f)
{
    free(f->names);
    *f = (struct systemd_fds){.first = FIRST_FD};
}

int systemd_fds_next(const struct systemd_fds *f, const char *name, int *at)
{
    struct slice rest = slice_str(f->names), one;

    for (int i = 0; i < f->count; i++) {
        if (!slice_cut(&rest, ':', &one))
            return -1;
        if (i < *at || !slice_equal(one, slice_str(name)))
            continue;
        *at = i + 1;
        return f->first + i;
    }
    return -1;
}

/* --- telling
 * ------------------------------------------------------------------------------------------- */

bool systemd_is_there(void)
{
    const char *path = getenv("NOTIFY_SOCKET");

    return path != NULL && (path[0] == '/' || path[0] == '@');
}

static int notify_open(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = path != NULL ? strlen(path) : 0;
    int fd;

    if (len == 0 || len >= sizeof a.sun_path)
        return -1;
    memcpy(a.sun_path, path, len);
    if (a.sun_path[0] == '@')
        a.sun_path[0] = '\0'; /* an abstract name */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&a,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static bool send_fds(int to, const char *text, const int *fds, size_t count)
{
    char control[CMSG_SPACE(FDS_A_MESSAGE * sizeof(int))] = {0};
    struct iovec data = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1};
    struct cmsghdr *c;
    ssize_t sent;

    if (count > 0) {
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    do
        sent = sendmsg(to, &m, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

bool systemd_store(const char *name, const int *fds, size_t count)
{
    int to = notify_open();
    bool good = to >= 0;
    char text[80];

    (void)snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=%s", name);
    for (size_t done = 0; good && done < count; done += FDS_A_MESSAGE) {
        size_t some = count - done < FDS_A_MESSAGE ? count - done : FDS_A_MESSAGE;

        good = send_fds(to, text, fds + done, some);
    }
    if (to >= 0)
        (void)close(to);
    return good;
}

void systemd_store_remove(const char *name)
{
    int to = notify_open();
    char text[80];

    if (to < 0)
        return;
    (void)snprintf(text, sizeof text, "FDSTOREREMOVE=1\nFDNAME=%s", name);
    (void)send_fds(to, text, NULL, 0);
    (void)close(to);
}

bool systemd_barrier(int wait_ms)
{
    int to = notify_open(), ends[2];
    struct pollfd p;
    bool good = false;

    if (to < 0)
        return false;
    if (pipe2(ends, O_CLOEXEC) == 0) {
        good = send_fds(to, "BARRIER=1", &ends[1], 1);
        (void)close(ends[1]);
        p = (struct pollfd){.fd = ends[0]};
        good = good && poll(&p, 1, wait_ms) == 1;
        (void)close(ends[0]);
    }
    (void)close(to);
    return good;
}
