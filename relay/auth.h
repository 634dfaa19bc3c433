#ifndef TG_RELAY_AUTH_H
#define TG_RELAY_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Logins and passwords: a file with a line `login:hash` each, hashes of crypt(3) (yescrypt and
 * whatever else libcrypt knows). It is read anew at every attempt.
 *
 * An unknown login costs as much work as a known one. From an address that has failed
 * AUTH_FAILURES_MAX times within AUTH_WINDOW_MS nothing is tried any more until that time is over.
 *
 * Threads: all; the lock guards the table of failures, and at most two passwords are worked on at a
 * time.
 */

#define AUTH_FAILURES_MAX 10
#define AUTH_WINDOW_MS    INT64_C(600000)

struct auth;

void auth_free(struct auth *a);
/* Reads the file once to see that it can be read (EX_NOINPUT, EX_CONFIG with file:line). */
struct auth *auth_new(const char *file, struct err *err) TG_MUST_USE;

enum auth_result { AUTH_GOOD, AUTH_BAD, AUTH_TOO_MANY, AUTH_TROUBLE /* the file cannot be read */ };

/* `now_ms` of the monotonic clock; `ip` as text. */
enum auth_result auth_check(struct auth *a, struct slice login, struct slice password,
                            const char *ip, int64_t now_ms) TG_NONNULL(1);

/* The hash of that login in the file's text; ptr NULL where there is none. */
struct slice auth_find(struct slice file, struct slice login);
/* Checks the file's lines. */
int auth_check_file(struct slice file, const char *name, struct err *err) TG_MUST_USE;
/* A new yescrypt hash. */
int auth_hash(const char *password, struct buf *out, struct err *err) TG_MUST_USE;

#endif
