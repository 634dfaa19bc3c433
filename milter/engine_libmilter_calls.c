#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"

/*
 * Three calls of libmilter that are bound to these definitions instead of the C library's, because
 * the linker prefers the program's own; libmilter has no switch for any of them. Nothing else in
 * tollgated uses the first two.
 */

enum { PAUSE_MS = 100, LOG_EVERY_MS = 60 * 1000 };

/*
 * libmilter starts a thread that takes HUP, TERM and INT by sigwait(3) and stops the filter on
 * each. The main thread has handlers for them, but while one is pending or being handled there, the
 * kernel gives the next to any thread that waits for it: HUP twice at once, or with USR1, ended
 * tollgated, and TERM twice cut its drain. So that thread sleeps for ever, with all signals blocked
 * as in the thread that called engine_run.
 */
int sigwait(const sigset_t *set, int *number)
{
    (void)set, (void)number;
    for (;;)
        (void)pause();
}

/* Where no file can be opened, libmilter's listener would try again at once, without a word. */
int accept(int fd, struct sockaddr *address, socklen_t *len)
{
    static int64_t logged_ms; /* the listener is one thread */
    int accepted = accept4(fd, address, len, SOCK_CLOEXEC), number = errno;

    if (accepted >= 0 || (number != EMFILE && number != ENFILE))
        return accepted;
    if (logged_ms == 0 || clock_monotonic_ms() - logged_ms >= LOG_EVERY_MS) {
        logged_ms = clock_monotonic_ms();
        log_plain(LOG_ERR, "no open files left for new sessions: raise LimitNOFILE (ulimit -n)");
    }
    clock_sleep_ms(PAUSE_MS);
    errno = number;
    return -1;
}

static bool is_libmilter(const void *caller)
{
    Dl_info info;

    return dladdr(caller, &info) != 0 && info.dli_fname != NULL &&
           strstr(info.dli_fname, "libmilter") != NULL;
}

/* libmilter measures by time(2) how long a session has been idle, so a clock that was set forward
 * closed them all. It gets the time since the machine started; other libraries get the clock's. */
time_t time(time_t *t)
{
    bool steady = is_libmilter(__builtin_return_address(0));
    time_t now = (time_t)((steady ? clock_monotonic_ms() : clock_unix_ms()) / 1000);

    if (t != NULL)
        *t = now;
    return now;
}
