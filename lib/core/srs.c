#include "lib/core/srs.h"

bool srs_is(struct slice local)
{
    if (!slice_starts_nocase(local, SLICE("SRS0")) && !slice_starts_nocase(local, SLICE("SRS1")))
        return false;
    if (local.len < 5 || (local.ptr[4] != '=' && local.ptr[4] != '+' && local.ptr[4] != '-'))
        return false;
    return slice_find(slice_from(local, 5), '=') > 0;
}
