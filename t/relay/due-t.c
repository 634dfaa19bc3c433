#include "relay/due.h"

#include <stdlib.h>

#include "t/random.h"
#include "t/tap.h"

#define MANY 2000

/* Against an array that is searched each time. */
static struct due_entry slow[MANY];
static size_t slow_count;

static size_t slow_first(void)
{
    size_t first = 0;

    for (size_t i = 1; i < slow_count; i++) {
        if (slow[i].due_ms < slow[first].due_ms)
            first = i;
    }
    return first;
}

static void both_add(struct due *d, unsigned number, int64_t due_ms)
{
    struct due_entry *e = &slow[slow_count++];

    (void)snprintf(e->id, sizeof e->id, "ID%u", number);
    e->due_ms = due_ms;
    if (!due_add(d, slice_str(e->id), due_ms))
        exit(1);
}

static size_t slow_find(const char *id)
{
    for (size_t i = 0; i < slow_count; i++) {
        if (strcmp(slow[i].id, id) == 0)
            return i;
    }
    return slow_count;
}

static bool step(struct due *d, uint64_t random, unsigned number)
{
    char id[QUEUE_ID_BYTES];
    size_t i;

    if (slow_count == 0 || random % 3 != 0) {
        both_add(d, number, (int64_t)(random >> 8) % 1000 + 1);
        return true;
    }
    if (random % 5 == 0) { /* one in the middle goes */
        i = (size_t)(random >> 16) % slow_count;
        if (!due_remove(d, slice_str(slow[i].id)))
            return false;
        slow[i] = slow[--slow_count];
        return true;
    }
    if (due_first(d)->due_ms != slow[slow_first()].due_ms)
        return false;
    due_take(d, id);
    i = slow_find(id);
    if (i == slow_count || slow[i].due_ms != slow[slow_first()].due_ms)
        return false;
    slow[i] = slow[--slow_count];
    return true;
}

static void test_order(void)
{
    struct random_source r = {12345};
    struct due d = {.heap = NULL};
    int bad = 0;

    for (unsigned i = 0; i < MANY && slow_count < MANY; i++)
        bad += !step(&d, random_next(&r), i);
    IS_INT(bad, 0, "as an array that is searched each time");
    IS_INT(d.count, slow_count, "and as many");
    due_fini(&d);
}

static void test_hasten(void)
{
    struct due d = {.heap = NULL};
    char id[QUEUE_ID_BYTES];

    OK(due_first(&d) == NULL && due_hasten(&d, SLICE("")) == 0, "empty");
    for (int i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof id, "ID%d", i);
        (void)due_add(&d, slice_str(id), 1000 + i);
    }
    IS_INT(due_hasten(&d, SLICE("ID77")), 1, "one");
    due_take(&d, id);
    IS_STR(id, "ID77", "is the first then");
    IS_INT(due_hasten(&d, SLICE("ID77")), 0, "no more there");
    IS_INT(due_first(&d)->due_ms, 1000, "the others wait");
    IS_INT(due_hasten(&d, SLICE("")), 99, "all");
    IS_INT(due_first(&d)->due_ms, 0, "are due");
    OK(!due_add(&d, SLICE(""), 1) && !due_remove(&d, SLICE("X")), "no id");
    due_fini(&d);
}

int main(void)
{
    test_order();
    test_hasten();
    return tap_done();
}
