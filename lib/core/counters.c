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

/* By group: node accounts, domains, users of domains. */
static const struct {
    enum counter_filler node, domain;
    bool users;
} groups[] = {[GROUP_TRAFFIC] = {FILLER_MILTER, FILLER_MILTER, true},
              [GROUP_SPAM] = {FILLER_MILTER, FILLER_MILTER, false},
              [GROUP_PRIORITY] = {FILLER_MILTER, FILLER_MILTER, false},
              [GROUP_THROTTLE] = {FILLER_MILTER, FILLER_MILTER, true},
              [GROUP_NODE] = {FILLER_MILTER, FILLER_NONE, false},
              [GROUP_SESSIONS] = {FILLER_COLLECTOR, FILLER_COLLECTOR, true},
              [GROUP_SMTP_IN] = {FILLER_COLLECTOR, FILLER_MILTER, true},
              [GROUP_FILTERS] = {FILLER_COLLECTOR, FILLER_NONE, false},
              [GROUP_STATUS] = {FILLER_COLLECTOR, FILLER_NONE, false}};

bool counter_is_of_users(enum counter id)
{
    return groups[counter_table[id].group].users;
}

enum counter_filler counter_filler(enum counter id, bool is_node)
{
    return is_node ? groups[counter_table[id].group].node : groups[counter_table[id].group].domain;
}
