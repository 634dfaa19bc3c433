#include "cli/holder_check.h"

#include <stdio.h>
#include <sysexits.h>

int holder_check(const struct holder *h, bool force)
{
    struct buf why;
    bool good;

    buf_init(&why, 4096);
    good = holder_is_charged(h, &why);
    if (!good)
        (void)fprintf(stderr, "tollgate: %.*s\n", SLICE_FMT(buf_slice(&why)));
    buf_fini(&why);
    if (good || force)
        return EX_OK;
    (void)fprintf(stderr, "tollgate: nothing was changed; use --force to do it anyway\n");
    return EX_DATAERR;
}
