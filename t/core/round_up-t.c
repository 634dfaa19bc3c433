/* round: numbers that people would choose for a limit. */
#include "t/tap.h"

#include "lib/core/round_up.h"

#define KB UINT64_C(1024)
#define MB (KB * KB)
#define GB (MB * KB)
#define TB (GB * KB)

static void test_count(void)
{
    static const uint64_t cases[][2] = {{0, 1},
                                        {1, 1},
                                        {2, 2},
                                        {6, 6},
                                        {7, 8},
                                        {9, 10},
                                        {11, 12},
                                        {13, 15},
                                        {16, 20},
                                        {21, 25},
                                        {26, 30},
                                        {31, 40},
                                        {41, 50},
                                        {51, 60},
                                        {61, 80},
                                        {81, 100},
                                        {101, 120},
                                        {120, 120},
                                        {721, 800},
                                        {1201, 1500},
                                        {999999, 1000000},
                                        {12345678, 15000000}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        IS_INT(round_up_count(cases[i][0]), cases[i][1], "a round number");
    IS_INT(round_up_count(UINT64_MAX), UINT64_MAX, "there is none so large");
}

static void test_bytes(void)
{
    static const uint64_t cases[][2] = {{0, 1},
                                        {900, 1000},
                                        {9000, 10000},
                                        {10001, 10 * KB},
                                        {7 * KB, 8000},
                                        {801 * KB, 1000 * KB},
                                        {1001 * KB, 1200 * KB},
                                        {10001 * KB, 10 * MB},
                                        {9 * GB, 10000 * MB},
                                        {12 * GB + 1, 15 * GB},
                                        {999 * GB, 1000 * GB},
                                        {2000 * TB, 2000 * TB}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        IS_INT(round_up_bytes(cases[i][0]), cases[i][1], "a round size");
    IS_INT(round_up_bytes(UINT64_MAX), UINT64_MAX, "there is none so large");
}

/* Never below, never more than half above, and round itself. */
static void test_bounds(void)
{
    int faults = 0;

    for (uint64_t n = 10; n < UINT64_MAX / 4000; n += n / 37 + 1) {
        uint64_t count = round_up_count(n), bytes = round_up_bytes(n);

        faults += count < n || count > n + n / 2 || round_up_count(count) != count;
        faults += bytes < n || bytes > n + n / 2;
    }
    IS_INT(faults, 0, "bounds of all");
}

int main(void)
{
    test_count();
    test_bounds();
    test_bytes();
    return tap_done();
}
