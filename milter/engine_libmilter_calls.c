#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"

/*
 * Two calls of libmilter that are bound to these definitions instead of the C library's, because
 * the linker prefers the program's own; libmilter has no switch for either. Nothing else in
 * tollgated uses them.
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
