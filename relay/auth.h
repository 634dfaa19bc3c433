#ifndef TG_RELAY_AUTH_H
#define TG_RELAY_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Logins and passwords: a file with a line `login:hash` for each login, with hashes of crypt(3)
 * (yescrypt and all others that libcrypt has). The file is read at every attempt.
 *
 * An unknown login costs a yescrypt hash. After AUTH_FAILURES_MAX failures from an address, or
 * AUTH_LOGIN_FAILURES_MAX for a login from any addresses, no password is checked until
 * AUTH_WINDOW_MS after the first; an address that has logged in as that login within this time is
 * not affected by the failures of others.
 *
 * Threads: all. At most two passwords are checked at a time; the others wait for AUTH_WAIT_MS.
 */

#define AUTH_FAILURES_MAX       10
#define AUTH_LOGIN_FAILURES_MAX 20
#define AUTH_WINDOW_MS          INT64_C(600000)
#define AUTH_WAIT_MS            INT64_C(10000)

struct auth;

void auth_free(struct auth *a);
/* Reads the file once to check it (EX_NOINPUT, EX_CONFIG with file:line). */
struct auth *auth_new(const char *file, struct err *err) TG_MUST_USE;

enum auth_result {
    AUTH_GOOD,
    AUTH_BAD,
    AUTH_TOO_MANY, /* failures; the password was not checked */
    AUTH_BUSY,     /* the wait was too long; the password was not checked */
    AUTH_TROUBLE   /* the file cannot be read */
};

/* `now_ms` is of the monotonic clock; `ip` is text. */
enum auth_result auth_check(struct auth *a, struct slice login, struct slice password,
                            const char *ip, int64_t now_ms) TG_NONNULL(1);

/* The hash of that login in the file's text; ptr NULL if there is none. */
struct slice auth_find(struct slice file, struct slice login);
/* Checks the file's lines. */
int auth_check_file(struct slice file, const char *name, struct err *err) TG_MUST_USE;
/* A new yescrypt hash. */
int auth_hash(const char *password, struct buf *out, struct err *err) TG_MUST_USE;

#endif
