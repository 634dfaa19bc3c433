#include "web/sign_in.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "web/dovecot_auth.h"
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

/* Fills in the name as Dovecot knows it, which may not be one of the file's: that has a password of
 * its own. A Dovecot that is away lets nobody in. */
static bool ask_dovecot(struct exchange *x, struct slice file, struct slice name,
                        struct slice password, struct web_user *user)
{
    struct err err = {0};
    struct slice known_as = SLICE_NONE;
    int answer = dovecot_auth_check(x->settings->web.dovecot_auth, name, password, &x->arena,
                                    &known_as, &err);
    struct web_identity who;
    bool is_in_file = web_users_find(file, known_as, user);

    *user = (struct web_user){.name = known_as};
    if (answer < 0)
        log_event(LOG_WARNING, "dovecot cannot be asked", LOG_ERROR("error", &err));
    return answer > 0 && !is_in_file && identity_of(x, file, known_as, true, &who);
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
    if (!known && x->settings->web.dovecot_auth[0] != '\0')
        good = ask_dovecot(x, file, name, password, user);
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

static enum sign_in_result begin(struct exchange *x, struct slice name, struct slice stamp,
                                 struct err *err)
{
    char cookie[SECRET_TEXT];
    struct login_session s = {
        .name = name, .stamp = stamp, .client = exchange_client(x), .since_s = x->now_ms / 1000};

    if (exchange_store(x, err) != 0 || (x->who.via == VIA_SESSION && sign_in_end(x, err) != 0) ||
        login_session_start(&x->reader, &s, &x->arena, cookie, err) != 0)
        return SIGN_IN_TROUBLE;
    set_cookie(x, cookie, LOGIN_SESSION_MAX_S);
    log_event(LOG_INFO, "signed in", LOG_TEXT("client", s.client), LOG_TEXT("user", s.name));
    return SIGN_IN_GOOD;
}

enum sign_in_result sign_in_elsewhere(struct exchange *x, struct slice name, struct err *err)
{
    return begin(x, name, SLICE(IDENTITY_ELSEWHERE), err);
}

enum sign_in_result sign_in(struct exchange *x, struct slice name, struct slice password,
                            struct err *err)
{
    struct web_user user = {.name = name};
    char stamp[IDENTITY_STAMP];
    enum sign_in_result result = check(x, name, password, &user, err);

    if (result == SIGN_IN_GOOD && user.hash.len == 0)
        return sign_in_elsewhere(x, user.name, err);
    identity_stamp(user.hash, stamp);
    if (result == SIGN_IN_GOOD)
        return begin(x, user.name, slice_str(stamp), err);
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
