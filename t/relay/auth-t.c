#include "relay/auth.h"

#include <stdlib.h>
#include <sysexits.h>
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

static void test_guessing(void)
{
    struct err err = {.code = 0};
    struct auth *a;
    struct buf b;

    buf_init(&b, 4096);
    buf_add_str(&b, "joe:");
    TG_IGNORE(auth_hash("secret", &b, &err));
    write_users(b.data);
    a = auth_new(path, &err);
    if (!OK(a != NULL, "the file is read"))
        return;
    for (int i = 0; i < AUTH_FAILURES_MAX; i++)
        (void)auth_check(a, SLICE("joe"), SLICE("guess"), "192.0.2.9", 1000 + i);
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.9", 2000), AUTH_TOO_MANY,
           "after ten failures nothing is tried from there");
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.8", 2000), AUTH_GOOD,
           "but from elsewhere");
    IS_INT(auth_check(a, SLICE("joe"), SLICE("secret"), "192.0.2.9", 1000 + AUTH_WINDOW_MS),
           AUTH_GOOD, "ten minutes later again");
    auth_free(a);
    buf_fini(&b);
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
    return tap_done();
}
