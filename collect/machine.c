#include "collect/machine.h"

bool machine_list_has(const struct machine_list *list, struct slice name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (slice_equal(list->list[i], name))
            return true;
    }
    return false;
}
