#include "web/figures_lists.h"

#include <sysexits.h>

#include "lib/read/read_report.h"
#include "web/exchange.h"

const char *const figures_list_parameters[] = {"domain", "from", "to", "top", NULL};

static int parse_range(struct exchange *x, struct range *range, struct err *err)
{
    struct range_words words = {.from = http_query_get(&x->query, "from"),
                                .to = http_query_get(&x->query, "to"),
                                .from_name = "from",
                                .to_name = "to"};

    range->time = read_report_time(x->settings, (time_t)(x->now_ms / 1000));
    return read_range_parse(range, &words, err);
}

int figures_list(struct exchange *x, const struct list_kind *kind, size_t top,
                 struct figures_list *out, struct err *err)
{
    struct list_question *q = &out->question;

    *out = (struct figures_list){.question = {.kind = kind}};
    if (http_query_allow(&x->query, figures_list_parameters, err) != 0 ||
        scope_choose(x, http_query_get(&x->query, "domain"), SLICE_NONE, &out->scope, err) != 0)
        return -1;
    if (out->scope.level == SCOPE_USER)
        return scope_nothing(err); /* an entry says whose domain it is of, not whose mail */
    if (parse_range(x, &out->range, err) != 0 ||
        http_query_top(&x->query, top, HTTP_QUERY_TOP, &q->top, err) != 0 ||
        exchange_store(x, err) != 0)
        return -1;
    q->range = &out->range;
    q->domain = out->scope.account;
    q->timezone = x->settings->timezone;
    return read_list(&x->reader, q, &x->arena, &out->report, err);
}
