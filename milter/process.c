#include "milter/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"

/* Held to the end of the process: the lock, and the pipe to the parent that waits for us. */
static int lock_fd = -1, parent_fd = -1;

int account_find(const char *name, struct account *out, struct err *err)
{
    struct passwd p, *found = NULL;
    char room[16384];

    *out = (struct account){.name = "", .uid = geteuid(), .gid = getegid()};
    if (name[0] == '\0' || geteuid() != 0)
        return 0;
    if (getpwnam_r(name, &p, room, sizeof room, &found) != 0 || found == NULL)
        return err_set(err, EX_CONFIG,
                       "user: no account \"%s\"; make it (useradd --system %s), or name another",
                       name, name);
    *out = (struct account){.name = name, .uid = p.pw_uid, .gid = p.pw_gid};
    return 0;
}

int account_become(const struct account *a, struct err *err)
{
    if (a->name[0] == '\0')
        return 0;
    if (initgroups(a->name, a->gid) != 0 || setgid(a->gid) != 0 || setuid(a->uid) != 0)
        return err_set(err, EX_OSERR, "cannot become %s: %s", a->name, strerror(errno));
    return 0;
}

int state_dir_make(const char *path, const struct account *a, struct err *err)
{
    if (mkdir(path, 0750) == 0) {
        if (a->name[0] != '\0' && chown(path, a->uid, a->gid) != 0)
            return err_set(err, EX_CANTCREAT, "state_dir: cannot give %s to %s: %s", path, a->name,
                           strerror(errno));
        return 0;
    }
    if (errno == EEXIST)
        return 0;
    return err_set(err, EX_CANTCREAT,
                   "state_dir: cannot make %s: %s; make it, for the account \"%s\"", path,
                   strerror(errno), a->name);
}

static int lock_taken(const char *path, struct err *err)
{
    char pid[32] = "";
    ssize_t got = pread(lock_fd, pid, sizeof pid - 1, 0);

    pid[got > 0 ? got : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    return err_set(err, EX_TEMPFAIL, "state_dir %s: another tollgated runs there (pid %s); stop it",
                   path, pid[0] != '\0' ? pid : "unknown");
}

int state_dir_lock(const char *path, int64_t wait_ms, struct err *err)
{
    int64_t until = clock_monotonic_ms() + wait_ms;
    char name[512];

    (void)snprintf(name, sizeof name, "%s/lock", path);
    lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (lock_fd < 0)
        return err_set(err, EX_CANTCREAT, "state_dir: cannot open %s: %s", name, strerror(errno));
    while (flock(lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return err_set(err, EX_OSERR, "cannot lock %s: %s", name, strerror(errno));
        if (clock_monotonic_ms() >= until)
            return lock_taken(path, err);
        clock_sleep_ms(50);
    }
    return 0;
}

void state_dir_lock_sign(void)
{
    char pid[32];
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());

    if (ftruncate(lock_fd, 0) == 0)
        (void)!pwrite(lock_fd, pid, (size_t)len, 0);
}

/* The parent: what the child says is what we exit with; if it says nothing, how it ended. */
static void wait_for_child(pid_t child, int from)
{
    unsigned char code;
    int status = 0;

    if (read(from, &code, 1) == 1)
        _exit(code);
    (void)waitpid(child, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE);
}

int background_begin(struct err *err)
{
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0)
        return err_set(err, EX_OSERR, "cannot go to the background: %s", strerror(errno));
    if (child > 0) {
        (void)close(ends[1]);
        wait_for_child(child, ends[0]);
    }
    (void)close(ends[0]);
    parent_fd = ends[1];
    (void)setsid();
    return 0;
}

void background_done(int exit_code)
{
    unsigned char code = (unsigned char)exit_code;
    int null;

    if (parent_fd < 0)
        return;
    if (exit_code == 0 && (null = open("/dev/null", O_RDWR)) >= 0) {
        (void)dup2(null, 0);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        if (null > 2)
            (void)close(null);
    }
    (void)!write(parent_fd, &code, 1);
    (void)close(parent_fd);
    parent_fd = -1;
}
