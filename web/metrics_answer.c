#include "web/metrics_answer.h"

#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "web/metrics_cache.h"
#include "web/scope.h"

static bool is_from(const struct exchange *x)
{
    const struct http_request *r = &x->request;
    bool is_trusted = http_request_is_trusted(r, &x->held->trusted);
    struct ip ip;

    return (is_trusted || r->forwarded_for.len == 0) &&
           networks_ip_parse(http_request_client(r, &x->held->trusted), &ip) &&
           networks_contain(&x->held->metrics_from, &ip);
}

static int admit(struct exchange *x, struct err *err)
{
    if (is_from(x))
        return 0;
    if (identity_find(x, err) != 0)
        return -1;
    if (x->who.via == VIA_NOTHING)
        return err_set(err, EX_NOPERM,
                       "send a token as Authorization: Bearer tg_..., or add this address to "
                       "web.metrics_from");
    return x->who.role == WEB_ROLE_ADMIN ? 0 : scope_nothing(err);
}

static struct reader *take(void *context, struct err *err)
{
    struct exchange *x = context;

    return exchange_store(x, err) == 0 ? &x->reader : NULL;
}

static void give(void *context, bool good)
{
    exchange_store_give(context, good);
}

int metrics_answer(struct exchange *x, struct err *err)
{
    const struct metrics_source source = {.take = take,
                                          .give = give,
                                          .context = x,
                                          .domains = (size_t)x->settings->web.metrics_domains,
                                          .unix_ms = x->now_ms,
                                          .monotonic_ms = clock_monotonic_ms()};
    struct metrics_text end = {.out = &x->response.body,
                               .form = metrics_text_accepted(x->request.accept)};
    struct err away = {0};

    if (admit(x, err) != 0)
        return -1;
    http_response_reset(&x->response, 200, metrics_text_type(end.form));
    if (metrics_cache_get(site_metrics(x->site), &source, end.form, end.out, &away) != 0)
        log_event(away.code == EX_UNAVAILABLE ? LOG_DEBUG : LOG_WARNING, "no metrics",
                  LOG_ERROR("error", &away));
    metrics_http_write(site_http(x->site), &end);
    metrics_text_end(&end);
    return 0;
}
