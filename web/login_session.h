#ifndef TG_WEB_LOGIN_SESSION_H
#define TG_WEB_LOGIN_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/read/read.h"
#include "lib/sys/secret.h"

/*
 * Signed-in sessions. The cookie holds 256 random bits; Redis holds them hashed only
 * (tg:web:session:{SHA-256}), with a time to live, so that who reads the store cannot use them.
 *
 * A session ends LOGIN_SESSION_MAX_S after the sign-in, LOGIN_SESSION_IDLE_S after its last
 * request, at the sign-out, and when the password has changed (`stamp`).
 *
 * Owner: slices are the arena's.  Errors: EX_UNAVAILABLE, EX_DATAERR.
 * Limits: LOGIN_SESSIONS_MAX a name; a further one ends the oldest.
 */

#define LOGIN_SESSION_MAX_S  INT64_C(43200)
#define LOGIN_SESSION_IDLE_S INT64_C(3600)
#define LOGIN_SESSIONS_MAX   20

struct login_session {
    char digest[SECRET_TEXT]; /* of the cookie: its name in the store */
    struct slice name;        /* who */
    struct slice stamp;       /* of the hash that was signed in with */
    struct slice token;       /* that forms carry */
    struct slice client;      /* from where */
    int64_t since_s;
};

struct login_session_list {
    struct login_session items[LOGIN_SESSIONS_MAX];
    size_t count;
};

/* Begins one: `s` says name, stamp, client and since_s; the rest is filled in. `cookie` is what the
 * browser gets. */
int login_session_start(struct reader *r, struct login_session *s, struct arena *arena,
                        char cookie[SECRET_TEXT], struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4);
/* *found: there is one of that cookie, and it goes on. */
int login_session_find(struct reader *r, struct slice cookie, int64_t now_s, struct arena *arena,
                       struct login_session *s, bool *found, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 4, 5, 6);
int login_session_end(struct reader *r, struct slice name, struct slice digest,
                      struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Those of a name, the newest first. */
int login_session_of(struct reader *r, struct slice name, int64_t now_s, struct arena *arena,
                     struct login_session_list *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 4, 5);

#endif
