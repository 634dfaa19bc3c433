#include "lib/core/counters.h"

const struct counter_info counter_table[COUNTER_COUNT] = {
#define X(id, name, unit, group, help) {name, UNIT_##unit, GROUP_##group, help},
    COUNTERS(X)
#undef X
};

int counter_find(struct slice name)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        if (slice_equal(name, slice_str(counter_table[i].name)))
            return i;
    }
    return -1;
}

bool counter_is_of_users(enum counter id)
{
    return counter_table[id].group == GROUP_TRAFFIC || counter_table[id].group == GROUP_THROTTLE;
}
