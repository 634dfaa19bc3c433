#include "web/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/net.h"
#include "lib/sys/secret.h"

struct exchange *exchange_new(struct site *site, struct slice target)
{
    struct exchange *x = calloc(1, sizeof *x);

    if (x == NULL)
        return NULL;
    x->site = site;
    x->held = site_take(site);
    x->settings = x->held->settings;
    x->now_ms = clock_unix_ms();
    arena_init(&x->arena, EXCHANGE_BYTES);
    http_response_init(&x->response);
    target = arena_copy(&x->arena, target);
    x->is_path = target.ptr != NULL && http_request_target(&x->request, target, &x->arena);
    return x;
}

void exchange_free(struct exchange *x)
{
    if (x == NULL)
        return;
    exchange_store_give(x, true);
    if (x->request.body.len > 0) /* may be a password */
        secret_forget((char *)(uintptr_t)x->request.body.ptr, x->request.body.len);
    http_response_fini(&x->response);
    arena_fini(&x->arena);
    if (x->setup != NULL)
        setup_cache_give(site_setups(x->site), x->setup);
    site_give(x->site, x->held);
    free(x);
}

int exchange_store(struct exchange *x, struct err *err)
{
    if (x->store != NULL)
        return 0;
    x->store = pool_take(site_pool(x->site), err);
    if (x->store == NULL)
        return -1;
    x->reader = (struct reader){.store = x->store, .prefix = x->settings->store.prefix};
    if (read_schema(&x->reader, err) == 0)
        return 0;
    exchange_store_give(x, err->code != EX_UNAVAILABLE);
    return -1;
}

void exchange_store_give(struct exchange *x, bool good)
{
    if (x->store != NULL)
        pool_give(site_pool(x->site), x->store, good);
    x->store = NULL;
}

void exchange_note_age(struct exchange *x, int64_t read_ms)
{
    if (x->figures_ms == 0 || read_ms < x->figures_ms)
        x->figures_ms = read_ms;
}

int64_t exchange_age_s(const struct exchange *x)
{
    return x->figures_ms > 0 ? (clock_monotonic_ms() - x->figures_ms) / 1000 : 0;
}

int exchange_setup(struct exchange *x, struct setup *out, struct err *err)
{
    if (x->setup == NULL)
        x->setup = setup_cache_take(site_setups(x->site), err);
    if (x->setup == NULL || exchange_store(x, err) != 0)
        return -1;
    *out = x->setup->setup;
    out->store = x->store;
    return 0;
}

struct slice exchange_client(const struct exchange *x)
{
    struct slice client = http_request_client(&x->request, &x->held->trusted);

    return client.len > 0 ? client : SLICE("unknown");
}

bool exchange_is_secure(const struct exchange *x)
{
    return http_request_is_secure(&x->request, &x->held->trusted);
}

bool exchange_is_safe(const struct exchange *x)
{
    const struct http_request *r = &x->request;
    char text[NET_ADDRESS_BYTES];

    /* A proxy that is not trusted may stand in front of anybody. */
    if (!http_request_is_trusted(r, &x->held->trusted) &&
        (r->forwarded_for.len > 0 || r->forwarded_proto.len > 0))
        return false;
    (void)snprintf(text, sizeof text, "%.*s", SLICE_FMT(exchange_client(x)));
    return exchange_is_secure(x) || net_is_loopback(text);
}
