#include "lib/core/counters.h"

#include <string.h>

const struct counter_info counter_table[COUNTER_COUNT] = {
#define X(id, name, unit, group, help) {name, UNIT_##unit, GROUP_##group, help},
    COUNTERS(X)
#undef X
};

static const struct slice names[COUNTER_COUNT] = {
#define X(id, name, unit, group, help) {name, sizeof(name) - 1},
    COUNTERS(X)
#undef X
};

struct slice counter_name(enum counter id)
{
    return names[id];
}

/* Few names have the same length. */
int counter_find(struct slice name)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        if (names[i].len == name.len && slice_equal(name, names[i]))
            return i;
    }
    return -1;
}

#define WORD sizeof(uint64_t)

/* Of its first and its last bytes, which tell nearly all counters apart. */
static uint8_t hash(struct slice name)
{
    uint64_t first = 0, last = 0;

    if (name.len >= WORD) {
        memcpy(&first, name.ptr, WORD);
        memcpy(&last, name.ptr + name.len - WORD, WORD);
    } else {
        for (size_t i = 0; i < name.len; i++)
            first = first << 8 | (unsigned char)name.ptr[i];
    }
    first = (first + name.len) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint8_t)((first ^ last) * UINT64_C(0xff51afd7ed558ccd) >> 56);
}

void counter_index_init(struct counter_index *index)
{
    memset(index, 0, sizeof *index);
    for (int i = 0; i < COUNTER_COUNT; i++) {
        uint8_t at = hash(names[i]);

        while (index->slots[at] != 0)
            at++;
        index->slots[at] = (uint8_t)(i + 1);
    }
}

int counter_index_find(const struct counter_index *index, struct slice name)
{
    for (uint8_t at = hash(name); index->slots[at] != 0; at++) {
        int id = index->slots[at] - 1;

        if (names[id].len == name.len && memcmp(names[id].ptr, name.ptr, name.len) == 0)
            return id;
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
