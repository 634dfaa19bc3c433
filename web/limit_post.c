#include "web/limit_post.h"

#include <sysexits.h>

#include "lib/core/period.h"

/* --- who, and why ---------------------------------------------------------------------------- */

int limit_post_admit(const struct exchange *x, struct slice reason, struct err *err)
{
    if (x->who.role != WEB_ROLE_ADMIN) {
        (void)err_set(err, EX_NOPERM, "only the server's administrator changes this: ask him");
        return 403;
    }
    if (!holder_view_may_change(&x->who)) {
        (void)err_set(err, EX_NOPERM,
                      "the token only reads: make one with `tollgate web token NAME --role admin "
                      "--write'");
        return 403;
    }
    if (reason.len > 0 && reason.len <= LIMIT_POST_REASON_MAX)
        return 0;
    if (reason.len == 0)
        (void)err_set(err, EX_USAGE, "reason: say why, for who looks at it later");
    else
        (void)err_set(err, EX_USAGE, "reason: shorten it to %d bytes", LIMIT_POST_REASON_MAX);
    return 400;
}

static struct limit_change change_of(struct exchange *x, const struct holder_view *v,
                                     const struct limit_post *p)
{
    return (struct limit_change){.setup = &v->setup,
                                 .holder = &v->holder,
                                 .limits = &v->limits,
                                 .now_s = v->now_s,
                                 .arena = &x->arena,
                                 .author = x->who.name,
                                 .client = exchange_client(x),
                                 .reason = p->reason,
                                 .seen = p->seen};
}

/* Limits of a domain that is not charged do nothing, which may be a slip of the pen. */
static int check_holder(const struct holder_view *v, const struct limit_post *p, struct err *err)
{
    struct buf why;
    bool good;

    buf_init(&why, 1024);
    good = holder_is_charged(&v->holder, &why) || p->force;
    if (!good)
        (void)err_set(err, EX_USAGE, "%.*s: use force to change it nevertheless",
                      SLICE_FMT(buf_slice(&why)));
    buf_fini(&why);
    return good ? 0 : 400;
}

/* What came back of a change. */
static int result_of(int result, struct err *err)
{
    if (result == 1) {
        (void)err_set(err, EX_USAGE,
                      "somebody else has changed it meanwhile, and nothing was done: look at what "
                      "is there now, and send it again");
        return 409;
    }
    return result != 0 && err->code == EX_USAGE ? 400 : result;
}

/* --- words ----------------------------------------------------------------------------------- */

static int parse_action(struct slice text, int *out, struct err *err)
{
    enum limit_action action;

    *out = -1;
    if (text.len == 0)
        return 0;
    if (!limit_action_parse(text, &action))
        return err_set(err, EX_USAGE, "action: use log, hold, defer or reject");
    *out = (int)action;
    return 0;
}

static int parse_soft(struct slice text, uint64_t *out, struct err *err)
{
    *out = LIMIT_WISH_NO_SOFT;
    if (text.len > 0 && (!slice_number(text, out) || *out > 99))
        return err_set(err, EX_USAGE, "soft: use a percentage from 0 (none) to 99");
    return 0;
}

static int parse_forwards(struct slice text, int *out, struct err *err)
{
    *out = -1;
    if (text.len == 0)
        return 0;
    if (!slice_equal(text, SLICE("yes")) && !slice_equal(text, SLICE("no")))
        return err_set(err, EX_USAGE, "forwards: use yes or no");
    *out = slice_equal(text, SLICE("yes"));
    return 0;
}

static int parse_until(const struct holder_view *v, struct slice text, int64_t *out,
                       struct err *err)
{
    time_t until = 0;

    if (text.len > 0 && period_until_parse(text, (time_t)v->now_s, &until, err) != 0) {
        err->code = EX_USAGE;
        return err_prefix(err, "until");
    }
    *out = (int64_t)until;
    return 0;
}

static int wish_of(const struct holder_view *v, const struct limit_post *p, struct limit_wish *w,
                   struct err *err)
{
    w->name = p->name;
    w->max = p->max;
    if (p->max.len == 0)
        return err_set(err, EX_USAGE, "max: give a number, a size such as 10GB, or unlimited");
    if (parse_action(p->action, &w->action, err) != 0 || parse_soft(p->soft, &w->soft, err) != 0 ||
        parse_forwards(p->forwards, &w->forwards, err) != 0)
        return -1;
    return parse_until(v, p->until, &w->until_s, err);
}

/* --- the three ------------------------------------------------------------------------------- */

int limit_post_set(struct exchange *x, const struct holder_view *v, const struct limit_post *p,
                   struct err *err)
{
    struct limit_change change = change_of(x, v, p);
    struct limit_wish wish;
    struct limit l;
    int refused = limit_post_admit(x, p->reason, err);

    if (refused != 0)
        return refused;
    if (wish_of(v, p, &wish, err) != 0 || limit_change_make(&change, &wish, &l, err) != 0)
        return result_of(-1, err);
    refused = check_holder(v, p, err);
    return refused != 0 ? refused : result_of(limit_change_set(&change, &l, err), err);
}

int limit_post_unset(struct exchange *x, const struct holder_view *v, const struct limit_post *p,
                     struct err *err)
{
    struct limit_change change = change_of(x, v, p);
    size_t removed = 0;
    int result = limit_post_admit(x, p->reason, err);

    if (result != 0)
        return result;
    result = result_of(limit_change_unset(&change, p->name, &removed, err), err);
    if (result == 0 && removed == 0) {
        (void)err_set(err, EX_NOUSER, "there is no override of %.*s: look at what is there now",
                      SLICE_FMT(slice_to(p->name, 100)));
        return 404;
    }
    return result;
}

int limit_post_plan(struct exchange *x, const struct holder_view *v, const struct limit_post *p,
                    struct err *err)
{
    struct limit_change change = change_of(x, v, p);
    int result = limit_post_admit(x, p->reason, err);
    bool removed;

    if (result == 0 && p->plan.len > 0)
        result = check_holder(v, p, err);
    if (result != 0)
        return result;
    return result_of(p->plan.len > 0 ? limit_change_plan_set(&change, p->plan, err)
                                     : limit_change_plan_unset(&change, &removed, err),
                     err);
}
