#include "lib/sys/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"

/* A signal handler can reach nothing else. */
static int event_pipe[2] = {-1, -1};

static void on_signal(int number)
{
    int saved = errno;

    signals_tell(number == SIGTERM || number == SIGINT ? EVENT_STOP : EVENT_RELOAD);
    errno = saved;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction how = {.sa_handler = handler, .sa_flags = SA_RESTART};

    (void)sigfillset(&how.sa_mask);
    (void)sigaction(number, &how, NULL);
}

void signals_ignore(void)
{
    handle(SIGHUP, SIG_IGN);
    handle(SIGUSR1, SIG_IGN);
    handle(SIGPIPE, SIG_IGN);
}

int signals_open(struct err *err)
{
    if (pipe2(event_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_set(err, EX_OSERR, "cannot make a pipe: %s", strerror(errno));
    handle(SIGTERM, on_signal);
    handle(SIGINT, on_signal);
    handle(SIGHUP, on_signal);
    handle(SIGUSR1, on_signal);
    return 0;
}

enum signal_event signals_next(int64_t wait_ms)
{
    int64_t until = clock_monotonic_ms() + wait_ms, left = wait_ms;
    struct pollfd p = {.fd = event_pipe[0], .events = POLLIN};
    char event;

    for (;;) {
        if (read(event_pipe[0], &event, 1) == 1)
            return (enum signal_event)event;
        if (wait_ms >= 0 && (left = until - clock_monotonic_ms()) <= 0)
            return EVENT_NONE;
        (void)poll(&p, 1, wait_ms < 0 ? -1 : (int)left);
    }
}

int signals_fd(void)
{
    return event_pipe[0];
}

void signals_tell(enum signal_event event)
{
    char byte = (char)event;

    (void)!write(event_pipe[1], &byte, 1);
}

void signals_block(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
}

void signals_unblock(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}
