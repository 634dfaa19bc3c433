#include "web/holder_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "lib/core/html.h"
#include "web/scope.h"

/* Names that begin with @ are those of the whole server and of clients. */
static int check_scope(struct exchange *x, struct slice typed, struct err *err)
{
    struct scope scope;
    bool is_server = slice_starts(typed, SLICE("@"));
    bool is_user = slice_find(typed, '@') > 0;
    int result;

    if (typed.len == 0 || (is_server && x->who.role != WEB_ROLE_ADMIN))
        return scope_nothing(err);
    if (is_server)
        return 0;
    result =
        scope_choose(x, is_user ? SLICE_NONE : typed, is_user ? typed : SLICE_NONE, &scope, err);
    /* What is no name is no page either; nor is his domain a user's. */
    if ((result != 0 && err->code == EX_USAGE) ||
        (result == 0 && !is_user && scope.level == SCOPE_USER))
        return scope_nothing(err);
    return result;
}

bool holder_view_may_change(const struct web_identity *who)
{
    return who->role == WEB_ROLE_ADMIN && (who->via != VIA_TOKEN || who->may_write);
}

int holder_view_open(struct exchange *x, struct slice typed, struct holder_view *v, struct err *err)
{
    *v = (struct holder_view){.now_s = x->now_ms / 1000,
                              .sees_authors = x->who.role == WEB_ROLE_ADMIN,
                              .may_change = holder_view_may_change(&x->who)};
    if (check_scope(x, typed, err) != 0 || exchange_setup(x, &v->setup, err) != 0)
        return -1;
    if (holder_parse(&v->setup, typed, &x->arena, &v->holder, err) != 0)
        return err->code == EX_USAGE ? scope_nothing(err) : -1;
    return holder_limits_read(&v->setup, &v->holder, v->now_s, &x->arena, &v->limits, err);
}

void holder_view_stamp(const struct holder_view *v, const struct limit *name,
                       char stamp[HOLDER_VIEW_STAMP])
{
    const struct account_overrides *said = &v->limits.said;

    (void)snprintf(stamp, HOLDER_VIEW_STAMP, "%016" PRIx64,
                   name != NULL ? account_overrides_stamp(said, name)
                                : account_overrides_stamp_all(said));
}

void holder_view_url(const struct holder *h, struct buf *url)
{
    struct slice title = holder_title(h);
    ptrdiff_t slash = slice_find(title, '/'); /* of a network: its first address stands for it */

    buf_add_str(url, "/limits");
    html_url_segment(url, slash >= 0 ? slice_to(title, (size_t)slash) : title);
}
