#include "milter/names.h"

#include <limits.h>
#include <stdio.h>

#include "lib/ledger/month_names.h"
#include "lib/ledger/row_sums.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

struct seeding {
    struct dispatch *dispatch;
    const struct hosted *hosted; /* NULL: not read yet */
    struct throttle *throttle;
    int64_t now_s;
};

static void account_seed(void *context, struct slice account)
{
    const struct seeding *s = context;

    name_quota_restore(&s->dispatch->names, s->hosted, account, s->now_s);
}

static void user_seed(void *context, struct slice account, struct slice user)
{
    const struct seeding *s = context;

    if (!slice_equal(user, SLICE(USER_OTHER)))
        throttle_user_seed(s->throttle, account, user);
}

/* Without limits of users none has a window. */
static bool limits_users(const struct settings *s)
{
    for (size_t i = 0; i < s->plan_count; i++) {
        for (size_t j = 0; j < s->plans[i].count; j++) {
            if (s->plans[i].limits[j].scope == LIMIT_USER)
                return true;
        }
    }
    return false;
}

void names_seed(struct dispatch *g, const struct snapshot *snapshot, struct throttle *t)
{
    struct seeding s = {g, snapshot->hosted, t, clock_unix_ms() / 1000};
    struct month_names_visitor v = {account_seed,
                                    limits_users(snapshot->settings) ? user_seed : NULL, &s};
    struct err err = {0};
    char path[PATH_MAX];

    if (v.user == NULL && (s.hosted != NULL && !hosted_has_open_names(s.hosted)))
        return;
    (void)snprintf(path, sizeof path, "%s/ledger.db", snapshot->settings->state_dir);
    if (month_names_read(path, (time_t)s.now_s, &v, &err) != 0)
        log_event(LOG_WARNING, "names of this month not read: their bounds begin anew",
                  LOG_ERROR("error", &err));
}
