/* tollgate doctor: whether a daemon runs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cli/doctor.h"

void doctor_running(struct doctor *d, const char *subject, const char *daemon, const char *lock)
{
    int fd = open(lock, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno != ENOENT) {
        doctor_say(d, DOCTOR_UNKNOWN, subject, "cannot open %s: %s", lock, strerror(errno));
        doctor_fix(d, "run `tollgate doctor' as root");
    } else if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0) {
        doctor_say(d, DOCTOR_FAIL, subject, "not running (%s is not locked)", lock);
        doctor_fix(d, "systemctl start %s; if it stops again, its log says why", daemon);
    } else {
        doctor_say(d, DOCTOR_OK, subject, "running");
    }
    if (fd >= 0)
        (void)close(fd);
}
