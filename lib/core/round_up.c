#include "lib/core/round_up.h"

#include <stddef.h>

#define UNIT UINT64_C(1024)

uint64_t round_up_count(uint64_t n)
{
    static const uint64_t tenths[] = {10, 12, 15, 20, 25, 30, 40, 50, 60, 80};

    for (uint64_t power = 1; power <= UINT64_MAX / 100; power *= 10) {
        for (size_t i = 0; i < sizeof tenths / sizeof tenths[0]; i++) {
            uint64_t value = tenths[i] * power;

            if (value % 10 == 0 && value / 10 >= n)
                return value / 10;
        }
    }
    return UINT64_MAX;
}

uint64_t round_up_bytes(uint64_t n)
{
    uint64_t unit = 1, value;

    while (unit < UNIT * UNIT * UNIT * UNIT && n > 10000 * unit)
        unit *= UNIT;
    value = round_up_count(n / unit + (n % unit != 0 ? 1 : 0));
    return value > UINT64_MAX / unit ? UINT64_MAX : value * unit;
}
