/* slice, arena, buf, strmap, counters: the small tools. */
#include "t/tap.h"

#include <stdlib.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/counters.h"
#include "lib/core/strmap.h"

static void test_slices(void)
{
    struct slice rest = SLICE("a,,b"), part;
    char digits[SLICE_NUMBER_ROOM];
    uint64_t n = 0;

    OK(slice_cut(&rest, ',', &part), "first part");
    IS_SLICE(part, SLICE("a"), "is a");
    OK(slice_cut(&rest, ',', &part), "second part");
    IS_INT(part.len, 0, "is empty");
    OK(slice_cut(&rest, ',', &part), "third part");
    IS_SLICE(part, SLICE("b"), "is b");
    OK(!slice_cut(&rest, ',', &part), "no fourth");
    rest = SLICE("  one\ttwo ");
    OK(slice_word(&rest, " \t", &part) && slice_equal(part, SLICE("one")), "first word");
    OK(slice_word(&rest, " \t", &part) && slice_equal(part, SLICE("two")), "second word");
    OK(!slice_word(&rest, " \t", &part), "no third");
    IS_SLICE(slice_trim(SLICE(" \r\nx y\t")), SLICE("x y"), "trim");
    OK(slice_number(SLICE("18446744073709551615"), &n) && n == UINT64_MAX, "largest number");
    OK(!slice_number(SLICE("18446744073709551616"), &n), "overflow is refused");
    OK(!slice_number(SLICE("99999999999999999999"), &n) &&
           !slice_number(SLICE("1844674407370955161:"), &n) &&
           !slice_number(SLICE("12345678901/"), &n),
       "and so is what is no digit");
    OK(!slice_number(SLICE("-1"), &n) && !slice_number(SLICE(""), &n), "no sign, not empty");
    IS_SLICE(slice_of_number(UINT64_MAX, digits), SLICE("18446744073709551615"), "its text");
    OK(slice_compare(SLICE("ab"), SLICE("abc")) < 0, "shorter sorts first");
    IS_INT(slice_find_last(SLICE("a.b.c"), '.'), 3, "last dot");
}

static void test_arena(void)
{
    struct arena a;
    size_t room = 0;
    int *numbers = NULL;

    arena_init(&a, 100000);
    for (size_t i = 0; i < 1000; i++) {
        numbers = arena_grow(&a, numbers, i, &room, sizeof *numbers);
        if (numbers == NULL)
            break;
        numbers[i] = (int)i;
    }
    OK(numbers != NULL && numbers[999] == 999 && numbers[0] == 0, "an array that grew");
    IS_STR(arena_lower(&a, SLICE("MiXed@Example.COM")).ptr, "mixed@example.com", "lower case copy");
    OK(arena_alloc(&a, 100001) == NULL, "the cap holds");
    OK(arena_array(&a, SIZE_MAX / 2, 4) == NULL, "an overflow is refused");
    arena_reset(&a);
    IS_INT(a.used_bytes, 0, "reset");
    OK(arena_alloc(&a, 99000) != NULL, "room again");
    arena_fini(&a);
}

static void test_varint(uint64_t value)
{
    struct buf b;
    struct slice s;
    uint64_t got = ~value;

    buf_init(&b, 100);
    buf_add_varint(&b, value);
    s = buf_slice(&b);
    OK(slice_take_varint(&s, &got) && got == value && s.len == 0, "varint there and back");
    s = slice_to(buf_slice(&b), b.len - 1);
    OK(!slice_take_varint(&s, &got), "a torn one is refused");
    buf_fini(&b);
}

static void test_buf(void)
{
    struct buf b;

    buf_init(&b, 10);
    buf_addf(&b, "%d-%s", 42, "abc");
    IS_SLICE(buf_slice(&b), SLICE("42-abc"), "formatted");
    buf_addf(&b, "%s", "12345");
    OK(b.failed && strcmp(b.data, "42-abc") == 0, "beyond the cap nothing is added");
    buf_reset(&b);
    buf_add_number(&b, 0);
    buf_add_number(&b, 1203);
    IS_SLICE(buf_slice(&b), SLICE("01203"), "numbers");
    buf_add_str(&b, "123456");
    OK(b.failed && b.len == 5, "the cap holds, failure sticks");
    buf_reset(&b);
    buf_add_str(&b, "1234567890");
    OK(!b.failed && b.len == 10, "exactly the cap fits");
    buf_fini(&b);
    test_varint(0);
    test_varint(127);
    test_varint(128);
    test_varint(UINT64_MAX);
}

static void test_strmap(void)
{
    enum { N = 5000 };
    static char keys[N][8];
    struct strmap m;
    size_t at = 0, seen = 0;
    struct slice key;
    void *value;
    bool added, good = true;

    strmap_init(&m);
    OK(strmap_find(&m, SLICE("x")) == NULL, "an empty table finds nothing");
    for (int i = 0; i < N; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "k%d", i);
        *strmap_add(&m, slice_str(keys[i]), &added) = keys[i];
        good = good && added;
    }
    OK(good && m.count == N, "all added");
    OK(*strmap_add(&m, SLICE("k17"), &added) == keys[17] && !added,
       "a second time finds the first");
    for (int i = 0; i < N; i++) {
        void **found = strmap_find(&m, slice_str(keys[i]));
        good = good && found != NULL && *found == keys[i];
    }
    OK(good && strmap_find(&m, SLICE("k5000")) == NULL, "all found, no other");
    while (strmap_next(&m, &at, &key, &value))
        seen++;
    IS_INT(seen, N, "stepping meets each once");
    strmap_fini(&m);
}

static void test_counters(void)
{
    struct counter_index index;
    int found = 0;

    IS_INT(counter_find(SLICE("forward_bytes")), COUNTER_FORWARD_BYTES, "counter by name");
    IS_INT(counter_find(SLICE("nonsense")), -1, "no such counter");
    counter_index_init(&index);
    for (int i = 0; i < COUNTER_COUNT; i++)
        found += counter_index_find(&index, slice_str(counter_table[i].name)) == i &&
                 slice_equal(counter_name((enum counter)i), slice_str(counter_table[i].name));
    IS_INT(found, COUNTER_COUNT, "each is found by the index");
    OK(counter_index_find(&index, SLICE("nonsense")) == -1 &&
           counter_index_find(&index, SLICE("in_messageS")) == -1 &&
           counter_index_find(&index, SLICE("in_")) == -1 &&
           counter_index_find(&index, SLICE_NONE) == -1,
       "and nothing else");
}

int main(void)
{
    test_slices();
    test_arena();
    test_buf();
    test_strmap();
    test_counters();
    return tap_done();
}
