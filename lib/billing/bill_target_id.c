#include <sysexits.h>

#include "lib/billing/bill_target_work.h"

struct slice bill_target_id(const struct bill_target *t, struct slice account, struct err *err)
{
    void *const *place = strmap_find(&t->ids, account);

    if (place != NULL)
        return *(const struct slice *)*place;
    (void)err_set(err, EX_DATAERR, "%.*s has no line \"%s %.*s NUMBER\" in billing.ids_file",
                  SLICE_FMT(account), t->name, SLICE_FMT(account));
    return SLICE_NONE;
}
