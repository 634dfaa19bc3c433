#ifndef TG_CLI_HOLDER_CHECK_H
#define TG_CLI_HOLDER_CHECK_H

#include "lib/admin/holder.h"
#include "lib/core/contract.h"

/* 0, or an exit code, said: limits of a domain that is not hosted, or charged to another, do
 * nothing. With `force` said as a warning. */
int holder_check(const struct holder *h, bool force) TG_NONNULL(1);

#endif
