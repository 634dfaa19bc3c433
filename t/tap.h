#ifndef TG_T_TAP_H
#define TG_T_TAP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/slice.h"

/*
 * TAP for test programs: call the checks, end main with `return tap_done();`.
 * Every check prints what it got where it fails. One translation unit a test program.
 */

static int tap_count, tap_failed;

static inline bool tap_ok(bool good, const char *file, int line, const char *what)
{
    tap_count++;
    if (!good) {
        tap_failed++;
        printf("not ok %d - %s\n#   at %s:%d\n", tap_count, what, file, line);
    } else {
        printf("ok %d - %s\n", tap_count, what);
    }
    return good;
}

static inline bool tap_is_slice(struct slice got, struct slice want, const char *file, int line,
                                const char *what)
{
    bool good = tap_ok(slice_equal(got, want), file, line, what);

    if (!good)
        printf("#   got '%.*s'\n#  want '%.*s'\n", SLICE_FMT(got), SLICE_FMT(want));
    return good;
}

static inline bool tap_is_int(intmax_t got, intmax_t want, const char *file, int line,
                              const char *what)
{
    bool good = tap_ok(got == want, file, line, what);

    if (!good)
        printf("#   got %" PRIdMAX "\n#  want %" PRIdMAX "\n", got, want);
    return good;
}

#define OK(good, what) tap_ok((good), __FILE__, __LINE__, (what))
#define IS_INT(got, want, what)                                                                    \
    tap_is_int((intmax_t)(got), (intmax_t)(want), __FILE__, __LINE__, (what))
#define IS_STR(got, want, what)                                                                    \
    tap_is_slice(slice_str(got), slice_str(want), __FILE__, __LINE__, (what))
#define IS_SLICE(got, want, what) tap_is_slice((got), (want), __FILE__, __LINE__, (what))

static inline int tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed == 0 && tap_count > 0 ? 0 : 1;
}

#endif
