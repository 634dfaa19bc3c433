/* The milter's Unix socket as a file. */
#include "t/tap.h"

#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "milter/listen.h"

static char dir[] = "/tmp/listen-t-XXXXXX", path[64];

/* A socket that is bound and listens there; close it to leave a dead one behind. */
static int serve(const char *at)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", at);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 5) != 0)
        abort();
    return fd;
}

static bool exists(const char *at)
{
    return access(at, F_OK) == 0;
}

static int place(struct listen_socket *l, unsigned mode, const char *group)
{
    struct err err;

    return listen_place(l, mode, -1, group, &err);
}

static void test_life(void)
{
    struct listen_socket l;
    struct stat st;
    struct err err;
    int fd, peer;

    OK(listen_prepare(&l, path, &err) == 0 && !exists(path), "nothing is there");
    fd = serve(l.made);
    OK(place(&l, 0620, "") == 0, "placed");
    OK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0620, "with its mode");
    OK(!exists(l.made), "under its own name alone");
    listen_poke(&l);
    peer = accept(fd, NULL, NULL);
    OK(peer >= 0, "a poke wakes the listener");
    (void)close(peer);
    OK(listen_prepare(&l, path, &err) != 0 && err.code == EX_TEMPFAIL,
       "a second one is refused while it is served");
    (void)close(fd);
}

/* The dead socket that test_life left behind. */
static void test_successor(void)
{
    struct listen_socket first, second;
    struct err err;
    int one, two;

    OK(listen_prepare(&first, path, &err) == 0 && exists(path), "a dead one may be replaced");
    one = serve(first.made);
    OK(place(&first, 0600, "") == 0 && exists(path), "and is");
    (void)close(one);
    OK(listen_prepare(&second, path, &err) == 0, "that died, and a successor comes");
    two = serve(second.made);
    OK(place(&second, 0600, "") == 0, "in its place");
    listen_remove(&first);
    OK(exists(path), "the first leaves the successor's socket alone");
    listen_remove(&second);
    OK(!exists(path), "the second removes its own");
    (void)close(two);
}

static void test_faults(void)
{
    struct listen_socket l;
    struct err err;
    char lengthy[200];
    int fd;

    memset(lengthy, 'x', sizeof lengthy);
    lengthy[0] = '/';
    lengthy[sizeof lengthy - 1] = '\0';
    OK(listen_prepare(&l, lengthy, &err) != 0 && err.code == EX_CONFIG, "too long a path");
    OK(listen_prepare(&l, "/nonexistent/dir/milter.sock", &err) != 0 && err.code == EX_CANTCREAT,
       "a directory that is not there");
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    OK(fd >= 0 && listen_prepare(&l, path, &err) != 0 && err.code == EX_CONFIG && exists(path),
       "a file is there: not touched");
    (void)close(fd);
    (void)unlink(path);
    OK(listen_prepare(&l, path, &err) == 0, "gone");
    fd = serve(l.made);
    OK(listen_place(&l, 0600, -1, "no-such-group-here", &err) != 0 && err.code == EX_CONFIG &&
           strstr(err.text, "no-such-group-here") != NULL,
       "an unknown group is named");
    OK(!exists(path) && !exists(l.made), "and nothing is left there");
    (void)close(fd);
}

int main(void)
{
    if (mkdtemp(dir) == NULL)
        abort();
    (void)snprintf(path, sizeof path, "%s/milter.sock", dir);
    test_life();
    test_successor();
    test_faults();
    (void)rmdir(dir);
    return tap_done();
}
