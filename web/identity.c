#include "web/identity.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/address.h"
#include "lib/sys/files.h"
#include "web/exchange.h"
#include "web/login_session.h"

#define BEARER "Bearer "

const char *identity_cookie(const struct exchange *x)
{
    return exchange_is_secure(x) ? IDENTITY_COOKIE_SAFE : IDENTITY_COOKIE_PLAIN;
}

bool identity_has_domain(const struct web_identity *who, struct slice domain)
{
    struct slice rest = who->domains, one;

    while (slice_cut(&rest, ',', &one)) {
        if (one.len > 0 && slice_equal(one, domain))
            return true;
    }
    return false;
}

int identity_file(struct exchange *x, struct slice *text, struct err *err)
{
    const char *path = x->settings->web.users_file;
    struct buf b;
    int result;

    *text = SLICE("");
    if (path[0] == '\0' || access(path, F_OK) != 0)
        return 0;
    buf_init(&b, WEB_USERS_FILE_MAX);
    result = file_read(path, &b, err);
    if (result == 0 && b.len > 0) {
        *text = arena_copy(&x->arena, buf_slice(&b));
        if (text->ptr == NULL)
            result = err_set(err, EX_OSERR, "out of memory");
    }
    buf_fini(&b);
    return result;
}

void identity_stamp(struct slice hash, char stamp[IDENTITY_STAMP])
{
    char digest[SECRET_TEXT];

    secret_digest(hash, digest);
    (void)snprintf(stamp, IDENTITY_STAMP, "%.16s", digest);
}

/* --- roles ----------------------------------------------------------------------------------- */

/* The address as it is counted, and the account that it is charged to. */
static bool take_user(struct exchange *x, struct slice name, struct slice domains,
                      struct web_identity *out)
{
    struct address a;

    if (address_parse(name, &x->arena, &a, NULL) != 0 || a.local.len == 0 || a.domain.len == 0)
        return false;
    out->role = WEB_ROLE_USER;
    out->user = address_user_by(&a, x->held->delimiters, &x->arena);
    out->account = domains.len > 0 ? domains : a.domain;
    return out->user.len > 0;
}

bool identity_of(struct exchange *x, struct slice file, struct slice name, bool may_be_user,
                 struct web_identity *out)
{
    struct web_user user = {.role = WEB_ROLE_NONE};

    *out = (struct web_identity){.name = name};
    if (web_users_find(file, name, &user)) {
        out->role = user.role;
        out->domains = user.domains;
    } else if (!may_be_user) {
        return false;
    }
    if (out->role == WEB_ROLE_ADMIN || out->role == WEB_ROLE_DOMAIN)
        return true;
    return take_user(x, name, user.domains, out);
}

/* --- by token, proxy, session ---------------------------------------------------------------- */

static int by_token(struct exchange *x, struct slice file, struct err *err)
{
    struct slice token = slice_trim(slice_from(x->request.authorization, sizeof BEARER - 1));
    struct web_user user;

    if (!slice_starts_nocase(x->request.authorization, SLICE(BEARER)) ||
        !web_users_find_token(file, token, &user) ||
        !identity_of(x, file, user.name, false, &x->who))
        return err_set(err, EX_NOPERM,
                       "the token is not known: make one with `tollgate web token', and send it as "
                       "Authorization: Bearer tg_...");
    x->who.via = VIA_TOKEN;
    x->who.may_write = user.may_write;
    return 0;
}

static int by_proxy(struct exchange *x, struct slice file, struct err *err)
{
    if (!http_request_is_trusted(&x->request, &x->held->trusted))
        return err_set(err, EX_USAGE,
                       "the header %s is for a trusted proxy to send: add its network to "
                       "web.trusted, or let it connect to the Unix socket",
                       x->settings->web.user_header);
    if (x->request.user.len == 0)
        return 0;
    if (!identity_of(x, file, x->request.user, true, &x->who))
        return err_set(err, EX_NOPERM,
                       "the proxy names a user who is neither in web.users_file nor an address");
    x->who.via = VIA_PROXY;
    return 0;
}

/* A session whose name is gone, or has another password now, is over. */
static int take_session(struct exchange *x, struct slice file, const struct login_session *s)
{
    char stamp[IDENTITY_STAMP];
    bool elsewhere = slice_equal(s->stamp, SLICE(IDENTITY_ELSEWHERE));
    struct web_user user = {.role = WEB_ROLE_NONE};

    if (!elsewhere && !web_users_find(file, s->name, &user))
        return 0;
    identity_stamp(user.hash, stamp);
    if ((!elsewhere && !slice_equal(slice_str(stamp), s->stamp)) ||
        !identity_of(x, file, s->name, elsewhere, &x->who))
        return 0;
    x->who.via = VIA_SESSION;
    x->who.token = s->token;
    x->who.since_s = s->since_s;
    (void)snprintf(x->who.digest, sizeof x->who.digest, "%s", s->digest);
    return 0;
}

static int by_session(struct exchange *x, struct slice file, struct slice cookie, struct err *err)
{
    struct login_session s = {.since_s = 0};
    bool found;

    if (exchange_store(x, err) != 0 ||
        login_session_find(&x->reader, cookie, x->now_ms / 1000, &x->arena, &s, &found, err) != 0)
        return -1;
    return found ? take_session(x, file, &s) : 0;
}

int identity_find(struct exchange *x, struct err *err)
{
    struct slice cookie = http_request_cookie(&x->request, identity_cookie(x)), file;

    x->who = (struct web_identity){.via = VIA_NOTHING};
    if (x->request.is_doubled)
        return err_set(err, EX_USAGE, "a header that may stand once stands twice: remove one");
    if (x->request.authorization.len == 0 && x->request.user.ptr == NULL && cookie.len == 0)
        return 0;
    if (identity_file(x, &file, err) != 0)
        return -1;
    if (x->request.authorization.len > 0)
        return by_token(x, file, err);
    if (x->request.user.ptr != NULL && by_proxy(x, file, err) != 0)
        return -1;
    if (x->who.via == VIA_PROXY || cookie.len != SECRET_TEXT - 1)
        return 0;
    return by_session(x, file, cookie, err);
}
