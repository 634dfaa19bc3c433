#include "milter/listen.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

/* 0: connected, and closed again; else errno. */
static int try_connect(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), failed = 0;

    if (fd < 0)
        return errno;
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        failed = errno;
    (void)close(fd);
    return failed;
}

static bool directory_of(const char *path, struct stat *st)
{
    char dir[sizeof((struct listen_socket *)0)->path];

    (void)snprintf(dir, sizeof dir, "%s", path);
    return stat(dirname(dir), st) == 0 && S_ISDIR(st->st_mode);
}

bool listen_has_directory(const char *path)
{
    struct stat st;

    return directory_of(path, &st);
}

/* In a sticky directory of root's, such as /tmp, names of root's stay root's. */
bool listen_is_shared(const char *path)
{
    struct stat st;

    if (!directory_of(path, &st))
        return false;
    return st.st_uid != 0 || ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0);
}

int listen_prepare(struct listen_socket *l, const char *path, struct err *err)
{
    struct stat st;
    int failed;

    memset(l, 0, sizeof *l);
    if (snprintf(l->path, sizeof l->path, "%s", path) >= (int)sizeof l->path ||
        snprintf(l->made, sizeof l->made, "%s.%ld", path, (long)getpid()) >= (int)sizeof l->made)
        return err_set(err, EX_CONFIG,
                       "milter.socket: %s: too long for a Unix socket; choose a shorter path",
                       path);
    (void)unlink(l->made);
    if (!listen_has_directory(path))
        return err_set(
            err, EX_CANTCREAT,
            "milter.socket: the directory of %s does not exist; make it, owned by the account of "
            "tollgated",
            path);
    if (lstat(path, &st) != 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return err_set(
            err, EX_CONFIG,
            "milter.socket: %s exists and is not a socket; remove it or choose another path", path);
    failed = try_connect(path);
    if (failed == 0 || failed == EAGAIN)
        return err_set(err, EX_TEMPFAIL,
                       "milter.socket: %s: address in use; stop the process that serves it "
                       "(another tollgated, "
                       "perhaps)",
                       path);
    return 0;
}

static int group_id(const char *name, gid_t *gid, struct err *err)
{
    struct group g, *found = NULL;
    char room[16384];

    if (getgrnam_r(name, &g, room, sizeof room, &found) != 0 || found == NULL)
        return err_set(err, EX_CONFIG,
                       "milter.group: unknown group \"%s\"; use the group of the MTA, or \"\"",
                       name);
    *gid = found->gr_gid;
    return 0;
}

static int put(struct listen_socket *l, unsigned mode, int owner, const char *group,
               struct err *err)
{
    gid_t gid = (gid_t)-1;
    struct stat st;

    if (group[0] != '\0' && group_id(group, &gid, err) != 0)
        return -1;
    if (chown(l->made, (uid_t)owner, gid) != 0)
        return err_set(err, EX_CONFIG,
                       "milter.group: cannot give the socket to the group \"%s\": %s; start as "
                       "root, or make the account a member of it",
                       group, strerror(errno));
    if (chmod(l->made, mode) != 0 || stat(l->made, &st) != 0 || rename(l->made, l->path) != 0)
        return err_set(err, EX_CANTCREAT, "milter.socket: cannot put %s into place: %s", l->path,
                       strerror(errno));
    l->device = st.st_dev;
    l->inode = st.st_ino;
    return 0;
}

int listen_place(struct listen_socket *l, unsigned mode, int owner, const char *group,
                 struct err *err)
{
    int done = put(l, mode, owner, group, err);

    if (done != 0)
        (void)unlink(l->made);
    return done;
}

bool listen_adopt(struct listen_socket *l, const char *path)
{
    struct stat st;

    memset(l, 0, sizeof *l);
    if (snprintf(l->path, sizeof l->path, "%s", path) >= (int)sizeof l->path ||
        lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    l->device = st.st_dev;
    l->inode = st.st_ino;
    return true;
}

void listen_poke(const struct listen_socket *l)
{
    (void)try_connect(l->path);
}

void listen_remove(const struct listen_socket *l)
{
    struct stat st;

    if (l->inode != 0 && lstat(l->path, &st) == 0 && st.st_dev == l->device &&
        st.st_ino == l->inode)
        (void)unlink(l->path);
}

int listen_failed(const char *where, struct err *err)
{
    if (errno == EADDRINUSE)
        return err_set(err, EX_TEMPFAIL,
                       "milter.socket: cannot listen on %s: address in use; stop the program that "
                       "uses it (ss -lp shows it), or set another",
                       where);
    if (errno == EACCES)
        return err_set(err, EX_CANTCREAT,
                       "milter.socket: cannot listen on %s: permission denied; give the directory "
                       "to the account of tollgated, or use a port above 1023",
                       where);
    return err_set(err, EX_TEMPFAIL, "milter.socket: cannot listen on %s: %s; set another address",
                   where, strerror(errno));
}
