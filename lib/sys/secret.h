#ifndef TG_SYS_SECRET_H
#define TG_SYS_SECRET_H

#include <stdbool.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * What passwords, tokens and sessions need: random bytes, digests, hashes of passwords (crypt(3) of
 * libxcrypt), and comparisons that take the same time whatever they find.
 *
 * Threads: all (no shared state).
 */

#define SECRET_TEXT 65 /* 64 hexadecimal digits and a NUL: 256 bits */

/* 256 random bits; aborts where the system has none. */
void secret_random(char text[SECRET_TEXT]);
/* SHA-256. */
void secret_digest(struct slice bytes, char text[SECRET_TEXT]);
/* HMAC-SHA-256 (RFC 2104). */
void secret_sign(struct slice key, struct slice bytes, char text[SECRET_TEXT]);
bool secret_equal(struct slice a, struct slice b);

/* A new yescrypt hash of a password. */
int secret_password_hash(const char *password, struct buf *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* `hash` is one of any kind that libcrypt has; a wrong one matches nothing. */
bool secret_password_matches(const char *password, const char *hash) TG_NONNULL(1, 2);
/* Overwrites what is not to stay in memory. */
void secret_forget(void *bytes, size_t len);

#endif
