#include "lib/ledger/rest.h"

#include "lib/sys/clock.h"

void rest_begin(struct rest *r)
{
    if (r->times > 0)
        r->began_us = clock_monotonic_us();
}

static void rest(struct rest *r, int64_t least_us)
{
    int64_t us;

    if (r->times == 0 || (us = clock_monotonic_us() - r->began_us) < least_us)
        return;
    us *= r->times;
    clock_sleep_us(us < REST_MAX_US ? us : REST_MAX_US);
    rest_begin(r);
}

void rest_take(struct rest *r)
{
    rest(r, 0);
}

void rest_if_due(struct rest *r)
{
    rest(r, REST_PIECE_US);
}
