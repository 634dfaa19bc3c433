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

/* A name under a wildcard of the hosted set takes its place by being looked up. One that the hosted
 * set does not have may be under a wildcard of a source that is asked, or read later. */
static void account_seed(void *context, struct slice account)
{
    const struct seeding *s = context;
    struct slice charged;

    if (s->hosted == NULL || hosted_domain(s->hosted, NULL, account, &charged) != HOSTED_YES)
        name_quota_seed(&s->dispatch->names, account, s->now_s);
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

/* Without a wildcard entry that has no owner each name is listed. */
static bool has_wildcards(const struct hosted *w)
{
    struct slice name;
    size_t at = 0;
    void *owner;

    if (w == NULL || w->domains_asked)
        return true;
    while (strmap_next(&w->domains, &at, &name, &owner)) {
        if (name.ptr[0] == '.' && owner == NULL)
            return true;
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

    if (v.user == NULL && !has_wildcards(s.hosted))
        return;
    (void)snprintf(path, sizeof path, "%s/ledger.db", snapshot->settings->state_dir);
    if (month_names_read(path, (time_t)s.now_s, &v, &err) != 0)
        log_event(LOG_WARNING, "names of this month not read: their bounds begin anew",
                  LOG_ERROR("error", &err));
}
