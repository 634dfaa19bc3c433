#ifndef TG_T_RANDOM_H
#define TG_T_RANDOM_H

#include <stdint.h>

/* Numbers for tests: the same seed gives the same run everywhere (splitmix64). */

struct random_source {
    uint64_t state;
};

static inline uint64_t random_next(struct random_source *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 .. below - 1 */
static inline uint32_t random_below(struct random_source *r, uint32_t below)
{
    return (uint32_t)(random_next(r) % below);
}

#endif
