#include "relay/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "t/tap.h"

static char path[64];

static void write_users(const char *text)
{
    FILE *out = fopen(path, "w");

    if (out == NULL || fputs(text, out) == EOF || fclose(out) != 0)
        exit(1);
}

static void test_lines(void)
{
    struct slice file =
        SLICE("# comment:x\n\n joe:hash-of-joe \r\njoe2:h2:1000:more\njoe:second\nx");

    IS_SLICE(auth_find(file, SLICE("joe")), SLICE("hash-of-joe"), "the first of a name");
    IS_SLICE(auth_find(file, SLICE("joe2")), SLICE("h2"), "fields behind the hash are passed over");
    OK(auth_find(file, SLICE("jo")).ptr == NULL, "no part of a name");
    OK(auth_find(file, SLICE("# comment")).ptr == NULL, "no comment");
    OK(auth_find(file, SLICE("x")).ptr == NULL, "no line without a hash");
    OK(auth_find(file, SLICE("")).ptr == NULL, "no empty name");
}

static void test_file(void)
{
    struct err err = {.code = 0};

    IS_INT(auth_check_file(SLICE("# x\n\na:$y$j9T$0123456789\n"), "f", &err), 0, "good");
    IS_INT(auth_check_file(SLICE("\na:short\n"), "f", &err), -1, "a hash that can be none");
    OK(err.code == EX_CONFIG && strstr(err.text, "f:2:") != NULL, "the error names the line");
    IS_INT(auth_check_file(SLICE(":$y$j9T$0123456789\n"), "f", &err), -1, "no login");
    IS_INT(auth_check_file(SLICE("a\n"), "f", &err), -1, "no hash");
}

static void test_passwords(void)
{
    struct err err = {.code = 0};
    struct auth *a;
    struct buf b;

    buf_init(&b, 4096);
    buf_add_str(&b, "joe:");
    IS_INT(auth_hash("secret", &b, &err), 0, "a hash");
    OK(slice_starts_nocase(slice_from(buf_slice(&b), 4), SLICE("$y$")), "of yescrypt");
    /* of SHA-512, as other programs write it: "secret" */
    buf_add_str(
        &b, "\nold:$6$saltsalt$8Ee6wSgV.fjBLXxtFYWqrGT3bRQkCbvCN3s3EVMQ1cTnK1w2BrbU0ZWkRcSLxhSCaC"
            "l0TSKmlJGjRdoCOQJ4O.\nlocked:!!!!!!!!!!!!!!\n");
    write_users(b.data);
    a = auth_new(path, &err);
    if (!OK(a != NULL, "the file is read"))
        return;
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.1", 0), AUTH_GOOD, "right");
    IS_INT(auth_check(a, SLICE("joe"), SLICE("Secret"), "192.0.2.1", 0), AUTH_BAD, "wrong");
    IS_INT(auth_check(a, SLICE("joe"), SLICE(""), "192.0.2.1", 0), AUTH_BAD, "empty");
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret\0x"), "192.0.2.1", 0), AUTH_BAD, "NUL in it");
    IS_INT(auth_check(a, SLICE("Joe"), SLICE("secret"), "192.0.2.1", 0), AUTH_BAD, "another name");
    IS_INT(auth_check(a, SLICE("locked"), SLICE("!!!!!!!!!!!!!!"), "192.0.2.1", 0), AUTH_BAD,
           "a locked login");
    /* the dummy's own password must open nothing */
    IS_INT(auth_check(a, SLICE("no"), SLICE("nobody's"), "192.0.2.1", 0), AUTH_BAD, "unknown");
    write_users("joe:changed-by-the-admin\n");
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.1", 0), AUTH_BAD,
           "the file is read anew each time");
    (void)unlink(path);
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.1", 0), AUTH_TROUBLE,
           "the file is gone");
    auth_free(a);
    OK(auth_new(path, &err) == NULL && err.code == EX_NOINPUT, "no file at start");
    buf_fini(&b);
}

/* joe's password is "secret". */
static struct auth *new_with_joe(void)
{
    struct err err = {.code = 0};
    struct auth *a;
    struct buf b;

    buf_init(&b, 4096);
    buf_add_str(&b, "joe:");
    TG_IGNORE(auth_hash("secret", &b, &err));
    write_users(b.data);
    buf_fini(&b);
    a = auth_new(path, &err);
    if (!OK(a != NULL, "the file is read"))
        exit(1);
    return a;
}

static void test_guessing(void)
{
    struct auth *a = new_with_joe();

    for (int i = 0; i < AUTH_FAILURES_MAX; i++)
        (void)auth_check(a, SLICE("joe"), SLICE("guess"), "192.0.2.9", 1000 + i);
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.9", 2000), AUTH_TOO_MANY,
           "after ten failures nothing is tried from there");
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.8", 2000), AUTH_GOOD,
           "but from elsewhere");
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.9", 1000 + AUTH_WINDOW_MS),
           AUTH_GOOD, "ten minutes later again");
    auth_free(a);
    (void)unlink(path);
}

/* Guesses at one login from many addresses, whether it exists or not. */
static void test_login_limit(void)
{
    static const char *const logins[] = {"joe", "nobody"};
    struct auth *a = new_with_joe();

    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.200", 500), AUTH_GOOD, "the user");
    for (size_t l = 0; l < 2; l++) {
        for (int i = 0; i < AUTH_LOGIN_FAILURES_MAX; i++) {
            char ip[32];

            (void)snprintf(ip, sizeof ip, "198.51.100.%d", i);
            IS_INT(auth_check(a, slice_str(logins[l]), SLICE("guess"), ip, 1000 + i), AUTH_BAD,
                   "a guess");
        }
        IS_INT(auth_check(a, slice_str(logins[l]), SLICE("secret"), "203.0.113.1", 2000),
               AUTH_TOO_MANY, "then nothing is tried for that login, from wherever");
    }
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.200", 2000), AUTH_GOOD,
           "but from where the user was");
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "203.0.113.1", 1000 + AUTH_WINDOW_MS),
           AUTH_GOOD, "ten minutes later again");
    auth_free(a);
}

struct guesser {
    struct auth *auth;
    const char *ip;
    pthread_t thread;
};

static void *guess(void *data)
{
    struct guesser *g = data;

    (void)auth_check(g->auth, SLICE("joe"), SLICE("guess"), g->ip, 1000);
    return NULL;
}

/* An address that is blocked while its threads wait for their turn: all of them come back, and the
 * next one from elsewhere has its turn. */
static void test_many_at_once(void)
{
    static struct guesser g[80];
    struct timespec until;
    struct err err = {.code = 0};
    int hanging = 0;
    struct auth *a;

    write_users(
        "joe:$6$saltsalt$8Ee6wSgV.fjBLXxtFYWqrGT3bRQkCbvCN3s3EVMQ1cTnK1w2BrbU0ZWkRcSLxhSC\n");
    a = auth_new(path, &err);
    if (!OK(a != NULL, "the file is read"))
        return;
    for (size_t i = 0; i < 80; i++) {
        g[i] = (struct guesser){.auth = a, .ip = i % 2 == 0 ? "192.0.2.1" : "192.0.2.2"};
        if (pthread_create(&g[i].thread, NULL, guess, &g[i]) != 0)
            exit(1);
    }
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AUTH_WAIT_MS / 1000 - 2;
    for (size_t i = 0; i < 80; i++)
        hanging += pthread_timedjoin_np(g[i].thread, NULL, &until) != 0;
    IS_INT(hanging, 0, "no thread hangs");
    IS_INT(auth_check(a, SLICE("joe"), SLICE("guess"), "192.0.2.1", 1000), AUTH_TOO_MANY,
           "the address is blocked");
    IS_INT(auth_check(a, SLICE("other"), SLICE("guess"), "192.0.2.3", 1000), AUTH_BAD,
           "and others have their turn");
    if (hanging == 0)
        auth_free(a);
    (void)unlink(path);
}

int main(void)
{
    int fd;

    (void)snprintf(path, sizeof path, "/tmp/tg-users-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0)
        return 1;
    (void)close(fd);
    test_lines();
    test_file();
    test_passwords();
    test_guessing();
    test_login_limit();
    test_many_at_once();
    return tap_done();
}
