/* Any bytes as a compiled zone: refused, or times that turn back into what its clocks show. */
#include <stdint.h>

#include "collect/zone.h"
#include "lib/core/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct zone *z, int64_t local_s)
{
    int64_t first, second, change;

    if (zone_times(z, local_s, &first, &second, &change) != ZONE_TWICE) {
        TG_ASSERT(first == second);
        return;
    }
    TG_ASSERT(first + zone_offset(z, first) == local_s);
    TG_ASSERT(second + zone_offset(z, second) == local_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zone *z = zone_new((struct slice){(const char *)data, size}, NULL);

    if (z == NULL)
        return 0;
    for (int64_t t = -1000000000; t < 5000000000; t += 98765432)
        check(z, t);
    zone_free(z);
    return 0;
}
