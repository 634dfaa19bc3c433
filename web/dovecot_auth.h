#ifndef TG_WEB_DOVECOT_AUTH_H
#define TG_WEB_DOVECOT_AUTH_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Asks Dovecot whether a password is right, by its protocol for authentication clients (version 1,
 * the same in 2.3 and 2.4): a handshake, one AUTH with PLAIN, one line of answer.
 *
 * Threads: all.  Limits: DOVECOT_AUTH_MS for all of it; a failure takes Dovecot about 2 s.
 */

#define DOVECOT_AUTH_MS INT64_C(10000)

/* 1: it is, and *user is the name as Dovecot has it (in the arena); 0: it is not; -1: Dovecot
 * cannot be asked (EX_UNAVAILABLE). */
int dovecot_auth_check(const char *where, struct slice name, struct slice password,
                       struct arena *arena, struct slice *user, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 4, 5, 6);

#endif
