/* The private redis-server: started, found again after a kill -9 of its parent, never two of them.
 */
#include "t/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/redis/own_server.h"
#include "lib/redis/store.h"
#include "lib/sys/clock.h"

#define WAIT_MS 60000

static char state_dir[64];
static struct settings settings;
static int64_t stop_wait_ms = WAIT_MS;

/* A process that holds a private store, as tollgated does. */
struct daemon {
    pid_t pid;
    int tell; /* closing it asks for a clean stop */
    pid_t redis;
    bool adopted, started;
};

static void daemon_main(int in, int out, int64_t wait_ms)
{
    struct err err = {0};
    struct own_server *p = own_server_start(&settings, wait_ms, &err);
    char line[64], byte;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (p == NULL)
        printf("# %s\n", err.text);
    (void)snprintf(line, sizeof line, "%d %d %d\n", p != NULL,
                   p != NULL ? (int)own_server_pid(p) : 0, p != NULL && own_server_is_adopted(p));
    if (write(out, line, strlen(line)) < 0)
        _exit(1);
    while (read(in, &byte, 1) < 0)
        continue;
    own_server_stop(p, stop_wait_ms);
    _exit(0);
}

static struct daemon daemon_start(int64_t wait_ms)
{
    struct daemon d = {0};
    int in[2], out[2], started = 0, redis = 0, adopted = 0;
    char line[64] = "";

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        exit(1);
    (void)fflush(stdout);
    d.pid = fork();
    if (d.pid == 0) {
        (void)close(in[1]);
        daemon_main(in[0], out[1], wait_ms);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    if (read(out[0], line, sizeof line - 1) > 0)
        (void)sscanf(line, "%d %d %d", &started, &redis, &adopted);
    (void)close(out[0]);
    d.tell = in[1];
    d.started = started != 0;
    d.redis = redis;
    d.adopted = adopted != 0;
    return d;
}

static void daemon_kill(struct daemon *d)
{
    (void)kill(d->pid, SIGKILL);
    (void)waitpid(d->pid, NULL, 0);
    (void)close(d->tell);
}

static void daemon_stop(struct daemon *d)
{
    (void)close(d->tell);
    (void)waitpid(d->pid, NULL, 0);
}

/* Not one that has ended and waits to be reaped by who knows whom. */
static bool is_alive(pid_t pid)
{
    char path[64], line[256] = "";
    FILE *in;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    in = pid > 0 ? fopen(path, "r") : NULL;
    if (in == NULL)
        return false;
    line[fread(line, 1, sizeof line - 1, in)] = '\0';
    (void)fclose(in);
    return strstr(line, ") Z ") == NULL;
}

static int count_servers(void)
{
    char command[256], line[32] = "";
    FILE *in;

    (void)snprintf(command, sizeof command, "pgrep -c -f '[r]edis-server.*%s'", state_dir);
    in = popen(command, "r");
    if (in == NULL || fgets(line, sizeof line, in) == NULL)
        return -1;
    (void)pclose(in);
    return atoi(line);
}

/* One that has just been started is not there yet under its name. */
static int count_servers_begun(void)
{
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    int count;

    while ((count = count_servers()) == 0 && clock_monotonic_ms() < deadline_ms)
        clock_sleep_ms(10);
    return count;
}

static bool says(const char *text, const char *want)
{
    struct slice rest = slice_str(text), argv[8];
    struct err err = {0};
    struct store *st = store_new(&settings, &err);
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    size_t argc = 0;
    redisReply *r;
    bool good;

    while (slice_word(&rest, " ", &argv[argc]))
        argc++;
    while ((r = store_command(st, argc, argv, WAIT_MS, &err)) == NULL &&
           clock_monotonic_ms() < deadline_ms)
        clock_sleep_ms(10); /* it still loads */
    good = r != NULL && r->str != NULL && strcmp(r->str, want) == 0;
    if (!good)
        printf("# %s: %s\n", text, r == NULL ? err.text : r->str != NULL ? r->str : "(no text)");
    freeReplyObject(r);
    store_free(st);
    return good;
}

static void test_start_and_stop(void)
{
    struct daemon d = daemon_start(WAIT_MS);

    OK(d.started && !d.adopted && is_alive(d.redis), "started");
    OK(says("SET kept 1", "OK"), "the store reaches it by private:");
    OK(getpgid(d.redis) == d.redis, "it is out of reach of the terminal's signals");
    daemon_stop(&d);
    OK(!is_alive(d.redis), "a clean stop ends it");
    d = daemon_start(WAIT_MS);
    OK(d.started && !d.adopted && says("GET kept", "1"), "started again it has its data");
    daemon_stop(&d);
}

static void test_adoption(void)
{
    struct daemon d = daemon_start(WAIT_MS), second;
    pid_t redis = d.redis;

    daemon_kill(&d);
    OK(is_alive(redis), "it outlives kill -9 of its parent");
    d = daemon_start(WAIT_MS);
    OK(d.started && d.adopted && d.redis == redis, "and is taken over");
    (void)kill(redis, SIGSTOP);
    second = daemon_start(200);
    OK(second.started && second.adopted && second.redis == redis, "also while it does not answer");
    IS_INT(count_servers(), 1, "there is one");
    (void)kill(redis, SIGCONT);
    daemon_kill(&second);
    daemon_stop(&d);
    OK(!is_alive(redis) && count_servers() == 0, "who took it over can end it");
}

static void test_kill_storm(void)
{
    bool one = true;
    struct daemon d;

    for (int i = 0; i < 10; i++) {
        d = daemon_start(i % 2 == 0 ? 0 : WAIT_MS);
        one = one && count_servers_begun() == 1;
        daemon_kill(&d);
    }
    OK(one, "10 parents killed one after the other: one server each time");
    stop_wait_ms = 300;
    d = daemon_start(WAIT_MS);
    stop_wait_ms = WAIT_MS;
    OK(d.started && says("GET kept", "1"), "with its data");
    (void)kill(d.redis, SIGSTOP);
    daemon_stop(&d);
    OK(count_servers() == 0, "a stalled one is killed in the end");
}

static void test_death(void)
{
    struct err err = {0};
    struct own_server *p = own_server_start(&settings, WAIT_MS, &err);
    pid_t first = own_server_pid(p);
    int64_t begin = clock_monotonic_ms();

    own_server_tick(p);
    IS_INT(own_server_pid(p), first, "a tick while it lives does nothing");
    (void)kill(first, SIGKILL);
    while (own_server_pid(p) == first || own_server_pid(p) == 0) {
        own_server_tick(p);
        clock_sleep_ms(10);
        if (clock_monotonic_ms() - begin > WAIT_MS)
            break;
    }
    OK(clock_monotonic_ms() - begin >= 1000, "it died: the first pause is a second");
    OK(is_alive(own_server_pid(p)) && own_server_pid(p) != first, "then there is another");
    OK(says("GET kept", "1"), "with the data");
    IS_INT(count_servers(), 1, "one");
    own_server_stop(p, WAIT_MS);
    IS_INT(count_servers(), 0, "none");
}

static void test_faults(void)
{
    static const char long_name[] =
        "/tmp/12345678901234567890123456789012345678901234567890123456789012345678901"
        "2345678901234567890";
    struct settings bad = settings;
    char path[128], *old = strdup(getenv("PATH"));
    struct err err = {0};
    FILE *out;

    bad.state_dir = "/nonexistent/dir";
    OK(own_server_start(&bad, WAIT_MS, &err) == NULL && err.code == 73, err.text);
    bad.state_dir = long_name;
    OK(own_server_start(&bad, WAIT_MS, &err) == NULL && err.code == 78, err.text);
    (void)setenv("PATH", "/nonexistent", 1);
    OK(own_server_start(&settings, WAIT_MS, &err) == NULL &&
           strstr(err.text, "apt-get install redis-server"),
       err.text);
    (void)setenv("PATH", old, 1);
    free(old);
    (void)snprintf(path, sizeof path, "%s/redis/appendonlydir/appendonly.aof.manifest", state_dir);
    out = fopen(path, "w");
    (void)fputs("rubbish\n", out);
    (void)fclose(out);
    OK(own_server_start(&settings, WAIT_MS, &err) == NULL && strstr(err.text, "manifest") != NULL,
       err.text);
    IS_INT(count_servers(), 0, "nothing is left running");
}

static void test_log(void)
{
    struct err err = {0};
    struct own_server *p = own_server_start(&settings, WAIT_MS, &err);
    char log[200], old[210];
    struct stat st;
    int64_t begin;

    (void)snprintf(log, sizeof log, "%s/redis/redis.log", state_dir);
    (void)snprintf(old, sizeof old, "%s.1", log);
    own_server_tick(p);
    OK(stat(log, &st) == 0 && stat(old, &st) != 0, "a small log stays");
    OK(truncate(log, (2 << 20)) == 0, "a large one");
    own_server_tick(p);
    OK(stat(old, &st) == 0 && st.st_size == 2 << 20, "is renamed");
    OK(says("BGREWRITEAOF", "Background append only file rewriting started"),
       "the server has something to say");
    begin = clock_monotonic_ms();
    while ((stat(log, &st) != 0 || st.st_size == 0) && clock_monotonic_ms() - begin < WAIT_MS)
        clock_sleep_ms(10);
    OK(stat(log, &st) == 0 && st.st_size > 0 && st.st_size < 100000, "and writes a new log");
    own_server_stop(p, WAIT_MS);
}

/* As root, so that this account need not be a member of the group. */
static void test_group(void)
{
    struct err err = {0};
    struct own_server *p;
    char socket[220], dir[200], lock[220];
    struct group *group = getgrnam("mail");
    struct stat st, in_dir, above, file;
    int64_t begin = clock_monotonic_ms();
    pid_t first;

    (void)snprintf(dir, sizeof dir, "%s/redis", state_dir);
    (void)snprintf(socket, sizeof socket, "%s/redis.sock", dir);
    (void)snprintf(lock, sizeof lock, "%s/lock", dir);
    settings.store.private_group = "mail";
    p = own_server_start(&settings, WAIT_MS, &err);
    OK(p != NULL && group != NULL && stat(socket, &st) == 0 && stat(dir, &in_dir) == 0 &&
           stat(state_dir, &above) == 0 && stat(lock, &file) == 0,
       err.text);
    OK(st.st_gid == group->gr_gid && (st.st_mode & 07777) == 0770, "the group may use the socket");
    OK(in_dir.st_gid == group->gr_gid && (in_dir.st_mode & 07777) == 0750, "may reach it");
    OK((above.st_mode & 0007) == 0001, "all may pass through state_dir, and no more");
    OK((file.st_mode & 0077) == 0, "the files in it are not the group's");
    first = own_server_pid(p);
    (void)kill(first, SIGKILL);
    while (clock_monotonic_ms() - begin < WAIT_MS &&
           (own_server_pid(p) == first || stat(socket, &st) != 0 || st.st_gid != group->gr_gid)) {
        own_server_tick(p);
        clock_sleep_ms(10);
    }
    OK(stat(socket, &st) == 0 && st.st_gid == group->gr_gid && own_server_pid(p) != first,
       "so may it that of the next server");
    own_server_stop(p, WAIT_MS);
    settings.store.private_group = "no-such-group";
    OK(own_server_start(&settings, WAIT_MS, &err) == NULL && err.code == 78 &&
           strstr(err.text, "store.private_group") != NULL,
       err.text);
    settings.store.private_group = "";
}

int main(void)
{
    char command[128];

    (void)snprintf(state_dir, sizeof state_dir, "/tmp/tg-private-XXXXXX");
    if (mkdtemp(state_dir) == NULL)
        return 1;
    settings.state_dir = state_dir;
    settings.store.url = "private:";
    settings.store.username = "ignored"; /* our own server wants no password */
    settings.store.password_file = "/nonexistent";
    test_start_and_stop();
    test_adoption();
    test_kill_storm();
    test_death();
    test_log();
    test_group();
    test_faults();
    (void)snprintf(command, sizeof command, "rm -rf %s", state_dir);
    OK(system(command) == 0, "cleaned up");
    return tap_done();
}
