#include "lib/redis/own_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/redis/link.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/privileges.h"
#include "lib/sys/program.h"

#define PATH_ROOM      160
#define STEP_MS        20 /* between looks at a server that starts or ends */
#define GREETING_MS    1000
#define PAUSE_MIN_MS   1000
#define PAUSE_MAX_MS   60000
#define LOG_MAX_BYTES  ((off_t)1 << 20)
#define LOG_TAIL_BYTES ((off_t)2048)
#define LIVED_WELL_MS  60000

struct own_server {
    char dir[PATH_ROOM], socket[PATH_ROOM], lock[PATH_ROOM], log[PATH_ROOM];
    pid_t child;  /* ours to wait for; 0: none */
    bool adopted; /* the one that lives is another process's child */
    bool alive;   /* as of the last look */
    int64_t started_ms, pause_ms, next_try_ms;
    bool has_group;
    gid_t group; /* of the socket */
};

bool own_server_wanted(const struct settings *s)
{
    return strcmp(s->store.url, "private:") == 0;
}

static bool join(char path[PATH_ROOM], const char *dir, const char *name)
{
    return snprintf(path, PATH_ROOM, "%s/%s", dir, name) < PATH_ROOM;
}

static int make_dir(struct own_server *p, const char *state_dir, struct err *err)
{
    if (!join(p->dir, state_dir, "redis") || !join(p->socket, p->dir, "redis.sock") ||
        !join(p->lock, p->dir, "lock") || !join(p->log, p->dir, "redis.log") ||
        strlen(p->socket) >= ENDPOINT_PATH_ROOM)
        return err_set(err, EX_CONFIG,
                       "state_dir %s: too long for the private store's socket in it (%d bytes in "
                       "all): use a shorter one",
                       state_dir, ENDPOINT_PATH_ROOM - 1);
    if (mkdir(p->dir, 0750) != 0 && errno != EEXIST)
        return err_set(err, EX_CANTCREAT, "cannot make %s: %s", p->dir, strerror(errno));
    return 0;
}

/* --- who may use it -------------------------------------------------------------------------- */

static int give(const struct own_server *p, const char *path, mode_t mode, struct err *err)
{
    if (chown(path, (uid_t)-1, p->group) == 0 && chmod(path, mode) == 0)
        return 0;
    return err_set(err, EX_CONFIG,
                   "store.private_group: cannot give %s to the group: %s: add the account of "
                   "tollgated to the group (usermod -a -G)",
                   path, strerror(errno));
}

/* Search permission on the way to the socket: on state_dir for everybody, for its group is another
 * one; what is in there has modes of its own. */
static int group_open(struct own_server *p, const struct settings *s, struct err *err)
{
    struct stat st;

    if (s->store.private_group == NULL || s->store.private_group[0] == '\0')
        return 0;
    if (privileges_group_find("store.private_group", s->store.private_group, &p->group, err) < 0 ||
        give(p, p->dir, 0750, err) < 0)
        return -1;
    if (stat(s->state_dir, &st) != 0 || chmod(s->state_dir, (st.st_mode | S_IXOTH) & 07777) != 0)
        return err_set(err, EX_OSERR, "store.private_group: cannot open %s to the group: %s",
                       s->state_dir, strerror(errno));
    p->has_group = true;
    return 0;
}

/* Each start of the server makes the socket anew. */
static void socket_give(const struct own_server *p)
{
    struct stat st;
    struct err err;

    if (p->has_group && lstat(p->socket, &st) == 0 && st.st_gid != p->group &&
        give(p, p->socket, 0770, &err) < 0)
        log_event(LOG_ERR, "socket of the private redis-server stays closed to the group",
                  LOG_ERROR("error", &err));
}

/* --- looking at it
 * -------------------------------------------------------------------------------- */

static struct endpoint endpoint(const struct own_server *p)
{
    return (struct endpoint){.kind = ENDPOINT_UNIX, .path = p->socket};
}

/* The lock's descriptor if no server runs; -1 with errno EWOULDBLOCK if one does. */
static int take_lock(const struct own_server *p)
{
    int fd = open(p->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600), number;

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    number = errno;
    (void)close(fd);
    errno = number;
    return -1;
}

/* The pid that listens on the socket, as the kernel knows it: a stalled server does not answer. 0:
 * none. */
static pid_t listener(const struct own_server *p)
{
    struct endpoint e = endpoint(p);
    struct ucred peer = {.pid = 0};
    socklen_t len = sizeof peer;
    struct transport t;

    if (transport_open(&t, &e, clock_monotonic_ms() + GREETING_MS, NULL) != 0)
        return 0;
    if (getsockopt(t.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        peer.pid = 0;
    transport_close(&t);
    return peer.pid;
}

static bool answers(const struct own_server *p)
{
    struct link_login nobody = {.db = 0};
    struct endpoint e = endpoint(p);
    struct redis_link l;

    if (link_open(&l, &e, &nobody, clock_monotonic_ms() + GREETING_MS, NULL) != 0)
        return false;
    link_close(&l);
    return true;
}

/* The last line of its log: why it exited. */
static void last_words(const struct own_server *p, char *text, size_t room)
{
    int fd = open(p->log, O_RDONLY | O_CLOEXEC);
    struct slice rest, line;
    char bytes[LOG_TAIL_BYTES];
    off_t size;
    ssize_t n;

    (void)snprintf(text, room, "%s is empty", p->log);
    if (fd < 0)
        return;
    size = lseek(fd, 0, SEEK_END);
    n = pread(fd, bytes, sizeof bytes, size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0);
    (void)close(fd);
    rest = slice_trim((struct slice){bytes, n > 0 ? (size_t)n : 0});
    while (slice_cut(&rest, '\n', &line))
        if (line.len > 0)
            (void)snprintf(text, room, "%.*s", SLICE_FMT(slice_to(line, 200)));
}

static bool reap(struct own_server *p)
{
    bool ended = p->child > 0 && waitpid(p->child, NULL, WNOHANG) != 0;

    if (ended)
        p->child = 0;
    return ended;
}

/* --- starting it
 * ---------------------------------------------------------------------------------- */

/* The server opens its log anew for each line, so that the file may be renamed at any time. */
static void log_rotate(const struct own_server *p)
{
    char old[PATH_ROOM + 2];
    struct stat st;

    (void)snprintf(old, sizeof old, "%s.1", p->log);
    if (lstat(p->log, &st) == 0 && st.st_size > LOG_MAX_BYTES && rename(p->log, old) != 0)
        log_event(LOG_WARNING, "log of the private redis-server cannot be renamed",
                  LOG_STR("file", p->log), LOG_STR("error", strerror(errno)));
}

static pid_t spawn(const struct own_server *p, int lock, struct err *err)
{
    static const char *const programs[] = {"redis-server", "valkey-server"};
    struct program_files files = {.in = -1, .out = -1, .errors = -1, .keep = lock};
    pid_t pid = -1;

    for (size_t i = 0; i < sizeof programs / sizeof programs[0] && pid < 0; i++) {
        const char *const argv[] = {programs[i],  "--port",
                                    "0",          "--unixsocket",
                                    p->socket,    "--unixsocketperm",
                                    "770",        "--dir",
                                    p->dir,       "--logfile",
                                    p->log,       "--daemonize",
                                    "no",         "--appendonly",
                                    "yes",        "--appendfsync",
                                    "everysec",   "--save",
                                    "",           "--maxmemory-policy",
                                    "noeviction", "--always-show-logo",
                                    "no",         NULL};

        pid = program_start(argv, &files, err);
        if (pid < 0 && err->code != EX_UNAVAILABLE)
            return -1;
    }
    if (pid < 0)
        return err_set(err, EX_UNAVAILABLE,
                       "store.url \"private:\" needs the program redis-server: install it (apt-get "
                       "install redis-server), or set store.url");
    return pid;
}

/* Takes over or starts. From its start on the server holds the lock. */
static int begin(struct own_server *p, struct err *err)
{
    int lock = take_lock(p);
    pid_t pid;

    p->started_ms = clock_monotonic_ms();
    if (lock < 0 && errno == EWOULDBLOCK) {
        p->adopted = p->alive = true;
        return 0;
    }
    if (lock < 0)
        return err_set(err, EX_CANTCREAT, "cannot open %s: %s", p->lock, strerror(errno));
    log_rotate(p);
    pid = spawn(p, lock, err);
    (void)close(lock);
    if (pid < 0)
        return -1;
    p->child = pid;
    p->adopted = false;
    p->alive = true;
    return 0;
}

static int wait_until_it_answers(struct own_server *p, int64_t deadline_ms, struct err *err)
{
    char words[256];

    while (!answers(p) && clock_monotonic_ms() < deadline_ms) {
        if (reap(p)) {
            p->alive = false;
            last_words(p, words, sizeof words);
            return err_set(err, EX_UNAVAILABLE, "redis-server for \"private:\" exited at once: %s",
                           words);
        }
        clock_sleep_ms(STEP_MS);
    }
    socket_give(p);
    return 0;
}

struct own_server *own_server_start(const struct settings *s, int64_t wait_ms, struct err *err)
{
    struct own_server *p = calloc(1, sizeof *p);
    struct err own;

    err = err != NULL ? err : &own;
    if (p == NULL) {
        (void)err_set(err, EX_OSERR, "private store: out of memory");
        return NULL;
    }
    if (make_dir(p, s->state_dir, err) == 0 && group_open(p, s, err) == 0 && begin(p, err) == 0 &&
        wait_until_it_answers(p, p->started_ms + wait_ms, err) == 0)
        return p;
    own_server_leave(p);
    return NULL;
}

/* --- keeping it alive
 * ----------------------------------------------------------------------------- */

static void note_death(struct own_server *p, int64_t now_ms)
{
    char words[256];

    p->alive = false;
    if (now_ms - p->started_ms > LIVED_WELL_MS)
        p->pause_ms = 0;
    p->pause_ms = p->pause_ms == 0 ? PAUSE_MIN_MS : p->pause_ms * 2;
    if (p->pause_ms > PAUSE_MAX_MS)
        p->pause_ms = PAUSE_MAX_MS;
    p->next_try_ms = now_ms + p->pause_ms;
    last_words(p, words, sizeof words);
    log_event(LOG_ERR, "private redis-server exited", LOG_STR("last", words),
              LOG_NUM("retry_ms", p->pause_ms));
}

void own_server_tick(struct own_server *p)
{
    int64_t now_ms = clock_monotonic_ms();
    struct err err = {0};
    int lock;

    log_rotate(p);
    socket_give(p);
    (void)reap(p);
    lock = take_lock(p);
    if (lock < 0 && errno == EWOULDBLOCK)
        return; /* it runs */
    if (lock >= 0)
        (void)close(lock);
    if (p->alive)
        note_death(p, now_ms);
    if (now_ms < p->next_try_ms)
        return;
    if (begin(p, &err) == 0) {
        log_event(LOG_NOTICE, "private redis-server started", LOG_NUM("pid", p->child));
        return;
    }
    log_event(LOG_ERR, "private redis-server cannot be started", LOG_ERROR("error", &err));
    p->started_ms = now_ms;
    note_death(p, now_ms);
}

/* --- ending it
 * ------------------------------------------------------------------------------------ */

static void ask_to_end(const struct own_server *p, int64_t wait_ms)
{
    static const char shutdown_command[] = "SHUTDOWN\r\n";
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
    struct endpoint e = endpoint(p);
    struct transport t;

    if (transport_open(&t, &e, deadline_ms, NULL) != 0)
        return;
    if (transport_write(&t, shutdown_command, sizeof shutdown_command - 1, NULL) > 0)
        TG_IGNORE(transport_wait(&t, false, deadline_ms, NULL)); /* it closes, or says why not */
    transport_close(&t);
}

static bool has_ended(struct own_server *p)
{
    int lock = reap(p) || p->child == 0 ? take_lock(p) : -1;

    if (lock < 0)
        return false;
    (void)close(lock);
    return true;
}

static bool wait_for_end(struct own_server *p, int64_t wait_ms)
{
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;

    while (!has_ended(p)) {
        if (clock_monotonic_ms() >= deadline_ms)
            return false;
        clock_sleep_ms(STEP_MS);
    }
    return true;
}

void own_server_stop(struct own_server *p, int64_t wait_ms)
{
    int64_t begin_ms = clock_monotonic_ms();
    pid_t pid;

    if (p == NULL)
        return;
    if (!has_ended(p)) {
        ask_to_end(p, wait_ms);
        if (!wait_for_end(p, begin_ms + wait_ms - clock_monotonic_ms())) {
            pid = own_server_pid(p);
            log_event(LOG_WARNING, "private redis-server killed: it did not stop",
                      LOG_NUM("pid", pid));
            if (pid > 1)
                (void)kill(pid, SIGKILL);
            (void)wait_for_end(p, GREETING_MS);
        }
    }
    own_server_leave(p);
}

void own_server_leave(struct own_server *p)
{
    free(p);
}

pid_t own_server_pid(const struct own_server *p)
{
    return p->child > 0 ? p->child : listener(p);
}

bool own_server_is_adopted(const struct own_server *p)
{
    return p->adopted;
}
