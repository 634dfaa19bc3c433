#include "cli/person.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/net.h"

#define CONNECT_MS 5000

int person_find(const char *name, struct person *out, struct err *err)
{
    const struct passwd *user = getpwnam(name);

    *out = (struct person){.group_count = (int)(sizeof out->groups / sizeof out->groups[0])};
    if (user == NULL)
        return err_set(err, EX_NOUSER, "no user \"%s\" on this machine", name);
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    out->uid = user->pw_uid;
    out->gid = user->pw_gid;
    if (getgrouplist(name, user->pw_gid, out->groups, &out->group_count) < 0)
        out->group_count = (int)(sizeof out->groups / sizeof out->groups[0]);
    return 0;
}

/* --- by the permission bits ------------------------------------------------------------------ */

static bool is_member(const struct person *p, gid_t gid)
{
    for (int i = 0; i < p->group_count; i++) {
        if (p->groups[i] == gid)
            return true;
    }
    return p->gid == gid;
}

/* `bits` of rwx (4, 2, 1): the owner's count for the owner alone, the group's for its members. */
static bool mode_gives(const struct person *p, const struct stat *s, unsigned bits)
{
    unsigned shift = s->st_uid == p->uid ? 6 : is_member(p, s->st_gid) ? 3 : 0;

    return p->uid == 0 || (s->st_mode >> shift & bits) == bits;
}

static void owner_text(const struct stat *s, char *text, size_t size)
{
    const struct passwd *user = getpwuid(s->st_uid);
    const struct group *group;
    char name[64];

    (void)snprintf(name, sizeof name, "%s", user != NULL ? user->pw_name : "?");
    group = getgrgid(s->st_gid);
    (void)snprintf(text, size, "%s:%s, mode %03o", name, group != NULL ? group->gr_name : "?",
                   (unsigned)s->st_mode & 07777);
}

static int barred(const struct person *p, const char *path, const struct stat *s, const char *what,
                  struct err *err)
{
    char owner[192];

    owner_text(s, owner, sizeof owner);
    return err_set(err, EX_NOPERM, "the user %s cannot %s %s (%s)", p->name, what, path, owner);
}

static int bits_check(const struct person *p, const char *path, unsigned bits, const char *what,
                      struct err *err)
{
    struct stat s;

    if (stat(path, &s) != 0)
        return err_set(err, EX_NOINPUT, "%s: %s", path, strerror(errno));
    return mode_gives(p, &s, bits) ? 0 : barred(p, path, &s, what, err);
}

/* Each folder on the way must let him through, the last component must give what is wanted. */
static int bits_access(const struct person *p, const char *path, enum person_want want,
                       struct err *err)
{
    char part[4096];
    size_t len = strlen(path);

    if (path[0] != '/' || len >= sizeof part)
        return err_set(err, EX_NOINPUT, "%s: not an absolute path", path);
    for (size_t i = 0; i < len; i++) {
        if (path[i] != '/')
            continue;
        (void)snprintf(part, sizeof part, "%.*s", i == 0 ? 1 : (int)i, path);
        if (bits_check(p, part, 1, "enter", err) != 0)
            return -1;
    }
    return want == ACCESS_CONNECT ? bits_check(p, path, 2, "connect to", err)
                                  : bits_check(p, path, 3, "write in", err);
}

/* --- by trying ------------------------------------------------------------------------------- */

static int attempt(const char *path, enum person_want want)
{
    char where[4200];
    int fd;

    if (want == ACCESS_WRITE_DIR)
        return access(path, R_OK | W_OK | X_OK) == 0 ? 0 : errno;
    (void)snprintf(where, sizeof where, "unix:%s", path);
    fd = net_connect(where, clock_monotonic_ms() + CONNECT_MS, NULL);
    if (fd < 0)
        return errno;
    (void)close(fd);
    return 0;
}

static int become(const struct person *p)
{
    if (setgroups((size_t)p->group_count, p->groups) != 0 || setgid(p->gid) != 0 ||
        setuid(p->uid) != 0)
        return -1;
    return 0;
}

/* errno of the attempt, or -1. */
static int attempt_as(const struct person *p, const char *path, enum person_want want)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(become(p) != 0 ? 255 : attempt(path, want));
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) == 255)
        return -1;
    return WEXITSTATUS(status);
}

int person_access(const struct person *p, const char *path, enum person_want want, struct err *err)
{
    int error;

    if (geteuid() != 0 && geteuid() != p->uid)
        return bits_access(p, path, want, err);
    error = geteuid() == 0 ? attempt_as(p, path, want) : attempt(path, want);
    if (error == 0)
        return 0;
    if (error < 0)
        return err_set(err, EX_OSERR, "cannot switch to the user %s to try", p->name);
    if (error != EACCES)
        return err_set(err, EX_UNAVAILABLE, "%s: %s", path, strerror(error));
    /* The bits know which component it is; where they do not, the system's word must do. */
    if (bits_access(p, path, want, err) == 0)
        return err_set(err, EX_NOPERM, "%s: %s, for the user %s", path, strerror(error), p->name);
    return -1;
}
