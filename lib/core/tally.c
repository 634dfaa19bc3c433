#include "lib/core/tally.h"

void tally_add(struct tally *into, const struct tally *amounts)
{
    for (int i = 0; i < COUNTER_COUNT; i++)
        into->value[i] += amounts->value[i];
}

bool tally_is_empty(const struct tally *t)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        if (t->value[i] != 0)
            return false;
    }
    return true;
}
