/* files and lock_file: whole files, atomic writes, directories, a lock and who holds it. */
#include "t/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/files.h"
#include "lib/sys/lock_file.h"

static char top[] = "/tmp/files-t-XXXXXX";

static const char *in(const char *name)
{
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/%s", top, name);
    return path;
}

static bool reads(const char *path, size_t cap, struct slice want)
{
    struct buf b;
    bool good;

    buf_init(&b, cap);
    good = file_read(path, &b, NULL) == 0 && slice_equal(buf_slice(&b), want);
    buf_fini(&b);
    return good;
}

static bool does_not_read(const char *path, size_t cap, const char *why)
{
    struct err err = {0};
    struct buf b;
    bool good;

    buf_init(&b, cap);
    good = file_read(path, &b, &err) == -1 && err.code == EX_NOINPUT &&
           strstr(err.text, why) != NULL && strstr(err.text, path) != NULL;
    buf_fini(&b);
    return good;
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void test_files(void)
{
    struct err err = {0};
    char *large = malloc(200000);

    memset(large, 'x', 200000);
    (void)umask(077);
    OK(file_write(in("a"), SLICE("one\0two\n"), 0644, &err) == 0, "written");
    OK(reads(in("a"), 100, SLICE("one\0two\n")), "and read, with a NUL in it");
    IS_INT(mode_of(in("a")), 0644, "its mode is as asked for, whatever the umask");
    OK(file_write(in("a"), SLICE(""), 0600, &err) == 0 && reads(in("a"), 100, SLICE("")),
       "an empty one in its place");
    IS_INT(mode_of(in("a")), 0600, "with its own mode");
    OK(access(in("a.new"), F_OK) != 0, "nothing else is left");
    OK(file_write(in("b"), (struct slice){large, 200000}, 0600, &err) == 0, "a large one");
    OK(reads(in("b"), 200000, (struct slice){large, 200000}), "that just fits");
    OK(does_not_read(in("b"), 199999, "larger than 199999 bytes"), "and one that does not");
    OK(does_not_read(in("none"), 10, "No such file"), "a missing one");
    OK(does_not_read(top, 10, "not a regular file"), "a directory");
    OK(file_write(in("none/a"), SLICE("x"), 0600, &err) == -1 && err.code == EX_CANTCREAT,
       "no directory to write to");
    OK(symlink(in("b"), in("c.new")) == 0 && file_write(in("c"), SLICE("x"), 0600, &err) == -1,
       "a link that somebody has put in the way is not followed");
    OK(reads(in("b"), 200000, (struct slice){large, 200000}), "and what it leads to stays");
    free(large);
}

static void test_dirs(void)
{
    struct err err = {0};

    OK(file_make_dir(in("d/e/f"), 0700, (uid_t)-1, (gid_t)-1, &err) == 0, "with parents");
    IS_INT(mode_of(in("d/e")), 0755, "the parents' mode");
    IS_INT(mode_of(in("d/e/f")), 0700, "its own");
    OK(file_make_dir(in("d/e"), 0700, (uid_t)-1, (gid_t)-1, &err) == 0 &&
           mode_of(in("d/e")) == 0755,
       "one that is there stays as it is");
    OK(file_make_dir(in("d//g/"), 0750, getuid(), getgid(), &err) == 0 &&
           mode_of(in("d/g")) == 0750,
       "slashes more than needed");
    OK(file_make_dir(in("b"), 0700, (uid_t)-1, (gid_t)-1, &err) == -1 && err.code == EX_CANTCREAT,
       "a file in its place");
    OK(file_make_dir(in("b/x"), 0700, (uid_t)-1, (gid_t)-1, &err) == -1 &&
           strstr(err.text, "/b") != NULL,
       "or in a parent's");
}

/* Holds the lock until its end of the pipe is closed. */
static pid_t holder(int wait_fd, int ready_fd)
{
    pid_t pid;
    char byte;
    int fd;

    (void)fflush(NULL);
    pid = fork();
    if (pid != 0)
        return pid;
    fd = lock_file_take(in("lock"), 0, NULL);
    lock_file_sign(fd);
    (void)!write(ready_fd, "x", 1);
    (void)!read(wait_fd, &byte, 1);
    _exit(fd >= 0 ? 0 : 1);
}

static void test_lock(void)
{
    int hold[2], ready[2], fd;
    char byte, want[64];
    struct err err = {0};
    int64_t begin = clock_monotonic_ms();
    pid_t pid;

    if (!OK(pipe2(hold, O_CLOEXEC) == 0 && pipe2(ready, O_CLOEXEC) == 0, "pipes"))
        return;
    pid = holder(hold[0], ready[1]);
    OK(read(ready[0], &byte, 1) == 1, "another process holds the lock");
    OK(lock_file_take(in("lock"), 100, &err) == -1 && err.code == EX_TEMPFAIL, "it is not given");
    OK(clock_monotonic_ms() - begin >= 100, "after the time to wait");
    (void)snprintf(want, sizeof want, "(pid %ld)", (long)pid);
    OK(strstr(err.text, want) != NULL && strstr(err.text, in("lock")) != NULL,
       "the holder is named");
    (void)kill(pid, SIGKILL);
    fd = lock_file_take(in("lock"), 10000, &err);
    OK(fd >= 0, "killed, it has given the lock up");
    (void)waitpid(pid, NULL, 0);
    OK(lock_file_take(in("lock"), 0, &err) == -1, "two locks in a process are two");
    (void)close(fd);
    fd = lock_file_take(in("lock"), 0, &err);
    OK(fd >= 0, "closed, it is free");
    (void)close(fd);
    OK(lock_file_take(in("none/lock"), 0, &err) == -1 && err.code == EX_CANTCREAT,
       "no place for it");
}

enum { OTHER = 65534 };

static bool is_refused(const char *path, const char *text)
{
    struct err err = {0};

    return lock_file_take(path, 0, &err) == -1 && err.code == EX_CANTCREAT &&
           strstr(err.text, text) != NULL;
}

/* What root does in a directory of another account's. */
static void test_others_lock(void)
{
    struct err err = {0};
    struct stat st;
    int fd;

    OK(is_refused(in("o/to"), "symbolic link"), "a link to a file of root's is no lock");
    OK(is_refused(in("o/nowhere"), "symbolic link") && access(in("made"), F_OK) != 0,
       "nor does one that leads nowhere make a file");
    OK(is_refused(in("o/hard"), "one name"), "nor is a second name of a file");
    OK(is_refused(in("o"), "cannot open"), "nor a directory");
    OK(reads(in("secret"), 10, SLICE("keep")), "the file is as it was");
    fd = lock_file_take(in("o/lock"), 0, &err);
    OK(fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == OTHER, "a lock that root makes is theirs");
    (void)close(fd);
    OK(chown(in("o/lock"), 0, 0) == 0 && (fd = lock_file_take(in("o/lock"), 0, &err)) >= 0 &&
           fstat(fd, &st) == 0 && st.st_uid == OTHER,
       "one that root left there becomes theirs");
    (void)close(fd);
}

static void test_others_dirs(void)
{
    struct err err = {0};
    struct stat st;

    OK(file_make_dir(in("o/out/x"), 0700, OTHER, OTHER, &err) == -1 && err.code == EX_CANTCREAT &&
           strstr(err.text, "leads to one of uid 0") != NULL && access(in("d/x"), F_OK) != 0,
       "a link out of it to a directory of root's is not followed");
    OK(file_make_dir(in("o/new/sub"), 0750, 1, 1, &err) == 0 && stat(in("o/new/sub"), &st) == 0 &&
           st.st_uid == OTHER && (st.st_mode & 07777) == 0750,
       "what is made there is theirs");
    OK(symlink(in("o"), in("way")) == 0 &&
           file_make_dir(in("way/second"), 0700, OTHER, OTHER, &err) == 0 &&
           access(in("o/second"), F_OK) == 0,
       "a link in a directory of root's is");
}

static void test_others(void)
{
    struct err err = {0};

    if (geteuid() != 0)
        return;
    OK(chmod(top, 0755) == 0 && file_make_dir(in("o"), 0755, OTHER, OTHER, &err) == 0 &&
           file_write(in("secret"), SLICE("keep"), 0600, &err) == 0 &&
           symlink(in("secret"), in("o/to")) == 0 && symlink(in("made"), in("o/nowhere")) == 0 &&
           link(in("secret"), in("o/hard")) == 0 && symlink(in("d"), in("o/out")) == 0,
       "links laid out");
    test_others_lock();
    test_others_dirs();
}

int main(void)
{
    char command[64];

    if (mkdtemp(top) == NULL)
        abort();
    test_files();
    test_dirs();
    test_lock();
    test_others();
    (void)snprintf(command, sizeof command, "rm -rf %s", top);
    (void)!system(command);
    return tap_done();
}
