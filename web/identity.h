#ifndef TG_WEB_IDENTITY_H
#define TG_WEB_IDENTITY_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/sys/secret.h"
#include "lib/sys/web_users.h"

/*
 * Who asks: by a bearer token, by the word of a trusted proxy (web.user_header), or by the cookie
 * of a session. Role and domains are read from web.users_file at each request, so that what is
 * changed there holds at once; an address that a proxy names and that is not in the file is a user.
 *
 * Owner: slices are the exchange's.
 */

struct exchange;

enum identity_via { VIA_NOTHING, VIA_TOKEN, VIA_PROXY, VIA_SESSION };

struct web_identity {
    enum identity_via via;
    enum web_role role;
    struct slice name;
    struct slice domains;       /* those of the role domain, apart by commas */
    struct slice account, user; /* of the role user: canonical */
    /* Of a session. */
    char digest[SECRET_TEXT];
    struct slice token;
    int64_t since_s;
    bool may_write; /* of a token: also to change something */
};

#define IDENTITY_COOKIE_SAFE  "__Host-tg"
#define IDENTITY_COOKIE_PLAIN "tg"

/* The name of the cookie for this request. */
const char *identity_cookie(const struct exchange *x) TG_NONNULL(1);
/* Fills in x->who; VIA_NOTHING is no error. EX_NOPERM: a token or a header that does not hold;
 * EX_USAGE: a header that only a trusted proxy may send. */
int identity_find(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* What a name may, from the file; false where it is not in it, and is no user's address either. */
bool identity_of(struct exchange *x, struct slice file, struct slice name, bool may_be_user,
                 struct web_identity *out) TG_NONNULL(1, 5);
bool identity_has_domain(const struct web_identity *who, struct slice domain) TG_NONNULL(1);
/* web.users_file, into the exchange's memory; empty where none is set. */
int identity_file(struct exchange *x, struct slice *text, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* What a session notes of the hash that it was signed in with; "-" where somebody else has checked
 * the password, so that the name need not be in the file. */
#define IDENTITY_ELSEWHERE "-"
#define IDENTITY_STAMP     17
void identity_stamp(struct slice hash, char stamp[IDENTITY_STAMP]);

#endif
