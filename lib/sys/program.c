#include "lib/sys/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"

#define KEPT_FD    3
#define CHUNK_SIZE ((size_t)64 << 10)

static int add_file(posix_spawn_file_actions_t *actions, int fd, int as)
{
    if (fd >= 0)
        return posix_spawn_file_actions_adddup2(actions, fd, as);
    return posix_spawn_file_actions_addopen(actions, as, "/dev/null", O_RDWR, 0);
}

static int add_files(posix_spawn_file_actions_t *actions, const struct program_files *f)
{
    int result = add_file(actions, f->in, STDIN_FILENO);

    if (result == 0)
        result = add_file(actions, f->out, STDOUT_FILENO);
    if (result == 0)
        result = add_file(actions, f->errors, STDERR_FILENO);
    if (result == 0 && f->keep >= 0)
        result = posix_spawn_file_actions_adddup2(actions, f->keep, KEPT_FD);
    if (result == 0)
        result = posix_spawn_file_actions_addclosefrom_np(actions, KEPT_FD + (f->keep >= 0));
    return result;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(attributes, &none);
    (void)posix_spawnattr_setsigdefault(attributes, &all);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETSID);
}

pid_t program_start(const char *const *argv, const struct program_files *files, struct err *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int result = posix_spawn_file_actions_init(&actions);
    pid_t pid = -1;

    if (result != 0)
        return err_set(err, EX_OSERR, "cannot start %s: %s", argv[0], strerror(result));
    result = posix_spawnattr_init(&attributes);
    if (result == 0) {
        result = add_files(&actions, files);
        if (result == 0)
            result = set_attributes(&attributes);
        if (result == 0)
            result =
                posix_spawnp(&pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    if (result == 0)
        return pid;
    return err_set(err, result == ENOENT ? EX_UNAVAILABLE : EX_OSERR, "cannot start %s: %s",
                   argv[0], strerror(result));
}

bool program_exists(const char *name)
{
    const char *path = getenv("PATH");
    struct slice rest = slice_str(path != NULL ? path : "/usr/bin:/bin"), dir;
    char file[PATH_MAX];

    if (strchr(name, '/') != NULL)
        return access(name, X_OK) == 0;
    while (slice_cut(&rest, ':', &dir))
        if (snprintf(file, sizeof file, "%.*s/%s", SLICE_FMT(dir), name) < (int)sizeof file &&
            access(file, X_OK) == 0)
            return true;
    return false;
}

/* --- running one to its end ------------------------------------------------------------------ */

enum { IN, OUT, ERRORS, PIPES };

struct run {
    int fds[PIPES];          /* our ends; -1: closed */
    struct slice input;      /* what is left of it */
    struct buf *text[PIPES]; /* of OUT and ERRORS: the caller's */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void feed(struct run *r)
{
    ssize_t n = send(r->fds[IN], r->input.ptr, r->input.len, MSG_NOSIGNAL);

    if (n > 0)
        r->input = slice_from(r->input, (size_t)n);
    if (r->input.len == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&r->fds[IN]);
}

static int drain(struct run *r, int which, struct err *err)
{
    struct buf *b = r->text[which];
    char bytes[CHUNK_SIZE];
    ssize_t n = read(r->fds[which], bytes, sizeof bytes);

    if (n > 0)
        buf_add(b, (struct slice){bytes, (size_t)n});
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_fd(&r->fds[which]);
    return b->failed ? err_set(err, EX_UNAVAILABLE, "more than %zu bytes of output", b->cap_bytes)
                     : 0;
}

static int move(struct run *r, int64_t deadline_ms, struct err *err)
{
    struct pollfd p[PIPES] = {
        {r->fds[IN], POLLOUT, 0}, {r->fds[OUT], POLLIN, 0}, {r->fds[ERRORS], POLLIN, 0}};
    int64_t left = deadline_ms - clock_monotonic_ms();

    if (left <= 0)
        return err_set(err, EX_UNAVAILABLE, "no result in time");
    if (poll(p, PIPES, left > INT_MAX ? INT_MAX : (int)left) < 0)
        return errno == EINTR ? 0 : err_set(err, EX_OSERR, "poll: %s", strerror(errno));
    if (p[IN].revents != 0)
        feed(r);
    for (int i = OUT; i < PIPES; i++)
        if (p[i].revents != 0 && drain(r, i, err) != 0)
            return -1;
    return 0;
}

/* Ours are non-blocking; the program's go to *files. Socket pairs instead of pipes: writing to one
 * that the program has closed is an error then, and no SIGPIPE. */
static int make_pipes(struct run *r, struct program_files *files, struct err *err)
{
    int ends[2], *theirs[PIPES] = {&files->in, &files->out, &files->errors};

    for (int i = 0; i < PIPES; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            return err_set(err, EX_OSERR, "socketpair: %s", strerror(errno));
        r->fds[i] = ends[0];
        *theirs[i] = ends[1];
        (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
        (void)shutdown(ends[0], i == IN ? SHUT_RD : SHUT_WR);
    }
    if (r->input.len == 0)
        close_fd(&r->fds[IN]);
    return 0;
}

/* The exit status; -1: it was killed, because of an error before or because its time is over. Its
 * output is closed, so it is about to end, unless it has closed it and goes on. */
static int wait_for(pid_t pid, bool good, int64_t deadline_ms)
{
    int status = 0;
    pid_t ended = 0;

    while (good && (ended = waitpid(pid, &status, WNOHANG)) == 0 &&
           clock_monotonic_ms() < deadline_ms)
        clock_sleep_ms(1);
    if (ended == 0) {
        (void)kill(pid, SIGKILL);
        ended = waitpid(pid, &status, 0);
        good = false;
    }
    if (!good || ended != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_piped(struct run *r, const char *const *argv, struct program_files *files,
                     int64_t deadline_ms, struct err *err)
{
    pid_t pid = make_pipes(r, files, err) == 0 ? program_start(argv, files, err) : -1;
    int status, result = pid > 0 ? 0 : -1;

    close_fd(&files->in);
    close_fd(&files->out);
    close_fd(&files->errors);
    while (result == 0 && (r->fds[OUT] >= 0 || r->fds[ERRORS] >= 0))
        result = move(r, deadline_ms, err);
    for (int i = 0; i < PIPES; i++)
        close_fd(&r->fds[i]);
    if (pid <= 0)
        return -1;
    status = wait_for(pid, result == 0, deadline_ms);
    if (result != 0)
        (void)err_prefix(err, "%s", argv[0]);
    else if (status < 0)
        (void)err_set(err, EX_UNAVAILABLE, "%s: no result in time", argv[0]);
    return status;
}

int program_run(const char *const *argv, struct slice input, struct buf *out, struct buf *errors,
                int64_t deadline_ms, struct err *err)
{
    struct run r = {{-1, -1, -1}, input, {NULL, out, errors}};
    struct program_files files = {-1, -1, -1, -1};

    return run_piped(&r, argv, &files, deadline_ms, err);
}
