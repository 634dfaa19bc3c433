#include "web/page_card.h"

#include <sysexits.h>

#include "lib/sys/signed_link.h"
#include "web/figures_card.h"

#define DAY_S INT64_C(86400)

/* Is it signed, for this domain, and not over? */
static int check(struct exchange *x, struct slice domain, bool *good, struct err *err)
{
    struct slice until = http_query_get(&x->query, "until");
    int64_t now_s = x->now_ms / 1000;
    char right[SECRET_TEXT];
    uint64_t end;

    *good = false;
    if (x->settings->web.link_key_file[0] == '\0')
        return 0;
    if (signed_link_card(x->settings->web.link_key_file, domain, until, right, err) != 0)
        return -1;
    *good = secret_equal(http_query_get(&x->query, "sig"), slice_str(right)) &&
            slice_number(until, &end) && end < INT64_MAX && (int64_t)end >= now_s &&
            (int64_t)end <= now_s + SIGNED_LINK_CARD_DAYS * DAY_S;
    return 0;
}

static int choose(struct exchange *x, bool is_signed, struct scope *scope, struct err *err)
{
    struct slice domain = x->request.segments[1];
    bool good;
    int result;

    if (is_signed) {
        if (check(x, domain, &good, err) != 0)
            return -1;
        return good ? scope_signed(x, domain, scope, err) : scope_nothing(err);
    }
    if (x->who.via == VIA_NOTHING)
        return scope_nothing(err);
    result = scope_choose(x, domain, SLICE_NONE, scope, err);
    if ((result != 0 && err->code == EX_USAGE) || (result == 0 && scope->level != SCOPE_DOMAIN))
        return scope_nothing(err);
    return result;
}

int page_card(struct exchange *x, struct err *err)
{
    static const char *const parameters[] = {"until", "sig", NULL};
    bool is_signed = http_query_get(&x->query, "sig").len > 0;
    struct render_card card;
    struct scope scope;

    if (http_query_allow(&x->query, parameters, err) != 0 ||
        choose(x, is_signed, &scope, err) != 0 || figures_card(x, &scope, &card, err) != 0)
        return -1;
    http_response_reset(&x->response, 200, HTTP_TYPE_SVG);
    x->response.has_etag = true;
    x->response.is_shared = is_signed;
    render_card(&card, &x->response.body);
    return 0;
}
