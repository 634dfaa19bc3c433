#include "lib/sys/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

int descriptors_open(struct err *err)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        /* the lowest free descriptor is this one; opened the wrong way round on purpose */
        if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return err_set(err, EX_OSERR, "cannot open /dev/null: %s", strerror(errno));
    }
    return 0;
}

uint64_t descriptors_raise(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) != 0)
        return 0;
    l.rlim_cur = l.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &l);
    (void)getrlimit(RLIMIT_NOFILE, &l);
    return l.rlim_cur;
}

int descriptors_finish(const char *program, int code, FILE *complaints)
{
    bool failed = ferror(stdout) != 0;

    errno = 0;
    if (fclose(stdout) != 0)
        failed = true;
    if (!failed || code == EX_IOERR)
        return code;
    (void)fprintf(complaints, "%s: cannot write the output%s%s\n", program, errno != 0 ? ": " : "",
                  errno != 0 ? strerror(errno) : "");
    return EX_IOERR;
}
