#include "lib/core/srs.h"

bool srs_is(struct slice local)
{
    if (!slice_starts_nocase(local, SLICE("SRS0")) && !slice_starts_nocase(local, SLICE("SRS1")))
        return false;
    if (local.len < 5 || (local.ptr[4] != '=' && local.ptr[4] != '+' && local.ptr[4] != '-'))
        return false;
    return slice_find(slice_from(local, 5), '=') > 0;
}

struct slice srs_untagged(struct slice local)
{
    static const struct {
        struct slice begin, end; /* of the tag */
    } forms[] = {{{"prvs=", sizeof "prvs=" - 1}, {"=", sizeof "=" - 1}},
                 {{"msprvs1=", sizeof "msprvs1=" - 1}, {"=", sizeof "=" - 1}},
                 {{"btv1==", sizeof "btv1==" - 1}, {"==", sizeof "==" - 1}}};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct slice rest = slice_from(local, forms[i].begin.len);
        ptrdiff_t at = slice_find(rest, '=');
        struct slice user;

        if (!slice_starts_nocase(local, forms[i].begin) || at <= 0)
            continue;
        user = slice_from(rest, (size_t)at + forms[i].end.len);
        if (user.len > 0)
            return user;
    }
    return local;
}
