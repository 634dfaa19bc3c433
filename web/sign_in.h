#ifndef TG_WEB_SIGN_IN_H
#define TG_WEB_SIGN_IN_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/*
 * Signing in by name and password: the password is checked against web.users_file, failures are
 * counted and logged ("sign-in failed client=192.0.2.1 user=anna"), and a session of its own
 * begins. An unknown name costs as much as a wrong password, and is answered alike.
 */

enum sign_in_result {
    SIGN_IN_GOOD,
    SIGN_IN_BAD,
    SIGN_IN_TOO_MANY, /* failures: the password was not checked */
    SIGN_IN_BUSY,     /* others are being checked: the password was not */
    SIGN_IN_TROUBLE   /* *err says what */
};

/* On SIGN_IN_GOOD the answer carries the cookie of the new session; the one that the browser had is
 * ended. */
enum sign_in_result sign_in(struct exchange *x, struct slice name, struct slice password,
                            struct err *err) TG_NONNULL(1, 4);
/* Begins the session of a name that somebody else has vouched for: Dovecot, a panel. */
enum sign_in_result sign_in_elsewhere(struct exchange *x, struct slice name, struct err *err)
    TG_NONNULL(1, 3);
/* Ends the session of this request. */
int sign_in_end(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
