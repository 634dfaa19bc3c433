/* AUTH, for reception.h. */

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "relay/reception.h"

#define AUTH_PAUSE_MS 1000
#define AUTH_TRIES    3

static void accept_login(struct reception *rc, struct slice mechanism, struct slice login,
                         struct smtp_reply *r)
{
    rc->login = arena_copy(&rc->session, login);
    rc->auth_type = arena_copy(&rc->session, mechanism);
    if (rc->login.ptr == NULL || rc->auth_type.ptr == NULL) {
        rc->login = SLICE_NONE;
        smtp_reply_set(r, "454 4.7.0 Temporary authentication failure");
        return;
    }
    smtp_reply_set(r, "235 2.7.0 Authentication successful");
}

/* The reply comes a whole number of seconds after the command, so that its time does not tell
 * which kind of hash was computed, and so whether the login exists. Three failures end the session.
 */
static void refuse_login(struct reception *rc, struct slice login, int64_t began_ms,
                         struct smtp_reply *r)
{
    int64_t spent_ms = clock_monotonic_ms() - began_ms;

    log_event(LOG_NOTICE, "login failed", LOG_STR("client", rc->client_ip),
              LOG_TEXT("login", login));
    clock_sleep_ms(AUTH_PAUSE_MS - spent_ms % AUTH_PAUSE_MS);
    smtp_reply_set(r, "535 5.7.8 Authentication failed");
    if (++rc->auth_failures < AUTH_TRIES)
        return;
    smtp_reply_set(r, "421 4.7.0 Too many failed logins");
    r->close = true;
}

void reception_auth(void *user, struct slice mechanism, struct slice login, struct slice password,
                    struct smtp_reply *r)
{
    struct reception *rc = user;
    int64_t began_ms = clock_monotonic_ms();

    TG_ASSERT(rc->relay->auth != NULL);
    if (smtp_command_has_control(login)) {
        refuse_login(rc, login, began_ms, r);
        return;
    }
    switch (auth_check(rc->relay->auth, login, password, rc->client_ip, began_ms)) {
    case AUTH_GOOD:
        accept_login(rc, mechanism, login, r);
        break;
    case AUTH_BAD:
        refuse_login(rc, login, began_ms, r);
        break;
    case AUTH_TOO_MANY:
        smtp_reply_set(r, "421 4.7.0 Too many failed logins");
        r->close = true;
        break;
    case AUTH_TROUBLE:
        log_plain(LOG_ERR, "relay.users_file cannot be read");
        smtp_reply_set(r, "454 4.7.0 Temporary authentication failure");
        break;
    case AUTH_BUSY:
        smtp_reply_set(r, "454 4.7.0 Temporary authentication failure");
        break;
    }
}
