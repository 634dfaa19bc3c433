/* Preloaded: writes 20 times a second how many bytes of memory the program has taken from malloc(3)
 * and not given back, into the file that TG_MALLOC_FILE names. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void *watch(void *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    const struct timespec pause = {.tv_nsec = 50000000};
    char text[32];

    while (fd >= 0) {
        struct mallinfo2 info = mallinfo2();
        int len = snprintf(text, sizeof text, "%20zu\n", info.uordblks + info.hblkhd);

        if (pwrite(fd, text, (size_t)len, 0) != len)
            break;
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

/* The program's signals are its own threads'. */
__attribute__((constructor)) static void watch_begin(void)
{
    char *name = getenv("TG_MALLOC_FILE");
    pthread_t thread;
    sigset_t all, old;

    if (name == NULL)
        return;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&thread, NULL, watch, name) == 0)
        (void)pthread_detach(thread);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}
