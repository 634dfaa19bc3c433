#ifndef TG_COLLECT_DOVECOT_TEXT_H
#define TG_COLLECT_DOVECOT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The texts of Dovecot 2.3 and 2.4, taken apart. Values are found by their names; logins and
 * reasons hold what strangers sent, so the last of several is Dovecot's own where it writes it
 * last.
 */

/* "imap(u@host.test)<15109><aQIahldhCot/AAAB>: Disconnected: Logged out in=309 out=1415 ..." */
struct dovecot_text {
    struct slice process; /* "imap", "pop3-login" */
    struct slice user;    /* in the brackets; a number there is a process's */
    struct slice session; /* may hold "/" and "+" */
    struct slice rest;    /* "Disconnected: ..." */
};
bool dovecot_text_read(struct slice text, struct dovecot_text *out) TG_NONNULL(2);

/* "user=<u@host.test>, method=PLAIN, rip=..., session=<...>", behind what was said. */
struct dovecot_login {
    struct slice said; /* "Disconnected: Connection closed (auth failed, 1 attempts in 2 secs)" */
    struct slice user, session;
    struct slice client; /* its address (rip=); empty: not told */
};
bool dovecot_text_login(struct slice rest, struct dovecot_login *out) TG_NONNULL(2);

/* The number behind the last `name` ("in=") that begins a word; false: there is none. */
bool dovecot_text_number(struct slice rest, struct slice name, uint64_t *value) TG_NONNULL(3);
/* The bytes of "retr=1/2833": behind the slash. */
bool dovecot_text_bytes(struct slice rest, struct slice name, uint64_t *value) TG_NONNULL(3);

/* Why a session or login ended, without the words before it. */
struct slice dovecot_text_reason(struct slice said);
/* The client broke off, fell silent or was thrown out; a plain close is how many clients end. */
bool dovecot_text_is_abnormal(struct slice reason);
/* "too many bad commands" of any wording. */
bool dovecot_text_is_too_many(struct slice reason);
/* A login was tried and refused; *attempts failed. */
bool dovecot_text_is_refused(struct slice said, uint64_t *attempts) TG_NONNULL(2);

#endif
