#include "web/sign_in.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "web/login_session.h"

#define PASSWORD_ROOM 1025
#define HASH_ROOM     512

/* --- the password ---------------------------------------------------------------------------- */

static bool copy(struct slice from, char *into, size_t room)
{
    if (from.len == 0 || from.len >= room || slice_find(from, '\0') >= 0)
        return false;
    memcpy(into, from.ptr, from.len);
    into[from.len] = '\0';
    return true;
}

/* Costs one hash, whatever the name. */
static bool is_right(struct exchange *x, const struct web_user *user, bool known,
                     struct slice password)
{
    char word[PASSWORD_ROOM] = "", hash[HASH_ROOM] = "";
    bool good;

    known = known && copy(user->hash, hash, sizeof hash) && hash[0] == '$';
    good = copy(password, word, sizeof word);
    good = secret_password_matches(word, known ? hash : site_dummy_hash(x->site)) && good && known;
    secret_forget(word, sizeof word);
    return good;
}

static enum sign_in_result check(struct exchange *x, struct slice name, struct slice password,
                                 struct web_user *user, struct err *err)
{
    struct attempts *attempts = site_attempts(x->site);
    struct web_attempt attempt = {name, exchange_client(x), clock_monotonic_ms()};
    enum attempt_leave leave = attempts_begin(attempts, &attempt);
    struct slice file;
    bool known, good;

    if (leave != ATTEMPT_MAY)
        return leave == ATTEMPT_BUSY ? SIGN_IN_BUSY : SIGN_IN_TOO_MANY;
    if (identity_file(x, &file, err) != 0) {
        attempts_end(attempts, &attempt, true);
        return SIGN_IN_TROUBLE;
    }
    known = web_users_find(file, name, user);
    good = is_right(x, user, known, password);
    attempts_end(attempts, &attempt, good);
    return good ? SIGN_IN_GOOD : SIGN_IN_BAD;
}

/* --- the session ----------------------------------------------------------------------------- */

static void set_cookie(struct exchange *x, const char *value, int64_t age_s)
{
    (void)snprintf(x->response.cookie, sizeof x->response.cookie,
                   "%s=%s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%" PRId64 "%s",
                   identity_cookie(x), value, age_s, exchange_is_secure(x) ? "; Secure" : "");
}

static enum sign_in_result begin(struct exchange *x, const struct web_user *user, struct err *err)
{
    char stamp[IDENTITY_STAMP], cookie[SECRET_TEXT];
    struct login_session s = {.name = user->name, .client = exchange_client(x)};

    identity_stamp(user->hash, stamp);
    s.stamp = slice_str(stamp);
    s.since_s = x->now_ms / 1000;
    if (exchange_store(x, err) != 0 || (x->who.via == VIA_SESSION && sign_in_end(x, err) != 0) ||
        login_session_start(&x->reader, &s, &x->arena, cookie, err) != 0)
        return SIGN_IN_TROUBLE;
    set_cookie(x, cookie, LOGIN_SESSION_MAX_S);
    log_event(LOG_INFO, "signed in", LOG_TEXT("client", s.client), LOG_TEXT("user", s.name));
    return SIGN_IN_GOOD;
}

enum sign_in_result sign_in(struct exchange *x, struct slice name, struct slice password,
                            struct err *err)
{
    struct web_user user = {.role = WEB_ROLE_NONE};
    enum sign_in_result result = check(x, name, password, &user, err);

    if (result == SIGN_IN_GOOD)
        return begin(x, &user, err);
    if (result == SIGN_IN_BAD || result == SIGN_IN_TOO_MANY)
        log_event(LOG_WARNING,
                  result == SIGN_IN_BAD ? "sign-in failed" : "sign-in refused: too many failures",
                  LOG_TEXT("client", exchange_client(x)), LOG_TEXT("user", name));
    return result;
}

int sign_in_end(struct exchange *x, struct err *err)
{
    if (exchange_store(x, err) != 0 ||
        login_session_end(&x->reader, x->who.name, slice_str(x->who.digest), err) != 0)
        return -1;
    set_cookie(x, "", 0);
    return 0;
}
