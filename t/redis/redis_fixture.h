#ifndef TG_T_REDIS_REDIS_FIXTURE_H
#define TG_T_REDIS_REDIS_FIXTURE_H

#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A real redis-server for a test program: on a Unix socket and a free port of 127.0.0.1, in a
 * temporary directory, gone with the test. A test that cannot start it dies.
 */

struct redis_fixture {
    char dir[64], socket[96];
    unsigned port;
    pid_t pid;
    FILE *log;
};

static inline void redis_fixture_die(const char *what)
{
    perror(what);
    printf("Bail out! %s\n", what);
    exit(1);
}

static inline bool redis_fixture_port_is_free(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free = bind(fd, (struct sockaddr *)&a, sizeof a) == 0;

    (void)close(fd);
    return is_free;
}

/* Below the ports that the kernel gives to clients, and no other test's: a name of the kernel,
 * which goes with this process, says so (t/lib/proc.py has the same). */
static inline unsigned redis_fixture_free_port(void)
{
    for (;;) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        unsigned port = 0;
        int len;

        if (fd < 0 || getrandom(&port, sizeof port, 0) != sizeof port)
            redis_fixture_die("no free port");
        port = 12000 + port % 20000;
        len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "tollgate-test-port-%u", port);
        if (bind(fd, (struct sockaddr *)&name,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0 &&
            redis_fixture_port_is_free(port))
            return port;
        (void)close(fd);
    }
}

static inline void redis_fixture_exec(const struct redis_fixture *f, int out, const char *password)
{
    char port[16];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(port, sizeof port, "%u", f->port);
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(out, STDERR_FILENO);
    if (chdir(f->dir) == 0)
        (void)execlp("redis-server", "redis-server", "--save", "", "--bind", "127.0.0.1", "--port",
                     port, "--unixsocket", f->socket, "--requirepass", password, (char *)NULL);
    perror("redis-server (apt-get install redis-server)");
    _exit(127);
}

/* Starts it (again) and returns when it takes connections. password "": none. */
static inline void redis_fixture_run(struct redis_fixture *f, const char *password)
{
    char line[512];
    int pipes[2];

    if (pipe(pipes) != 0)
        redis_fixture_die("pipe");
    f->pid = fork();
    if (f->pid == 0) {
        (void)close(pipes[0]);
        redis_fixture_exec(f, pipes[1], password);
    }
    (void)close(pipes[1]);
    f->log = fdopen(pipes[0], "r");
    while (fgets(line, sizeof line, f->log) != NULL)
        if (strstr(line, "eady to accept connections") != NULL)
            return;
    redis_fixture_die("redis-server does not start (apt-get install redis-server)");
}

static inline void redis_fixture_start(struct redis_fixture *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/tg-redis-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        redis_fixture_die("mkdtemp");
    (void)snprintf(f->socket, sizeof f->socket, "%s/s", f->dir);
    f->port = redis_fixture_free_port();
    redis_fixture_run(f, "");
}

/* Kills it and waits for its end; redis_fixture_run starts it again. */
static inline void redis_fixture_kill(struct redis_fixture *f)
{
    (void)kill(f->pid, SIGKILL);
    (void)waitpid(f->pid, NULL, 0);
    (void)fclose(f->log);
}

static inline void redis_fixture_stop(struct redis_fixture *f)
{
    char command[128];

    redis_fixture_kill(f);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->dir);
    if (system(command) != 0)
        redis_fixture_die("rm");
}

#endif
