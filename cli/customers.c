#include "cli/customers.h"

#include <sysexits.h>

#include "lib/sources/source.h"

int customers_load(const struct cli *cli, const char *name, struct hosted **out, struct err *err)
{
    if (cli->settings->billing.customers.count == 0)
        return err_set(err, EX_USAGE,
                       "there are no customers: name their list in billing.customers");
    *out = source_load_customers(cli->settings, stderr, err);
    if (*out == NULL)
        return -1;
    if (name == NULL || strmap_find(&(*out)->customer_names, slice_str(name)) != NULL)
        return 0;
    return err_set(err, EX_USAGE, "--customer %s: billing.customers gives it no domain", name);
}
