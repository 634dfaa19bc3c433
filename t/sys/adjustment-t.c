/* Adjustments as Redis keeps them. */
#include "t/tap.h"

#include <sysexits.h>

#include "lib/sys/adjustment.h"

static const char text[] =
    "{\"amounts\":{\"out_messages\":-1,\"out_bytes\":-1234},\"reason\":\"not queued\",\"evidence\":"
    "\"4jc: lost \\\"connection\\\"\",\"by\":\"root\",\"at\":1795878503}";

static const struct bad {
    const char *field, *value;
} bad[] = {
    {"2026-11 x", ""},
    {"2026-11 x", "{}"},
    {"2026-11 x", "[1]"},
    {"2026-11 x", "{\"at\":1}"},
    {"2026-11 x", "{\"at\":\"1\",\"amounts\":{}}"},
    {"2026-11 x", "{\"at\":1,\"amounts\":{\"out_bytes\":1.5}}"},
    {"2026-11 x", "{\"at\":1,\"amounts\":{\"out_bytes\":9007199254740992}}"},
    {"2026-11 x", "{\"at\":1,\"amounts\":{\"out_bytes\":-9007199254740992}}"},
    {"2026-11", "{\"at\":1,\"amounts\":{}}"},
};

int main(void)
{
    struct adjustment a = {.period = SLICE("2026-11"),
                           .id = SLICE("mx1/4711"),
                           .amounts = {[COUNTER_OUT_MESSAGES] = -1, [COUNTER_OUT_BYTES] = -1234},
                           .reason = SLICE("not queued"),
                           .evidence = SLICE("4jc: lost \"connection\""),
                           .by = SLICE("root"),
                           .at_s = 1795878503},
                      b;
    struct arena arena;
    struct buf field, value;
    struct err err = {0};

    arena_init(&arena, 65536);
    buf_init(&field, 1000);
    buf_init(&value, 1000);
    adjustment_field(&a, &field);
    IS_STR(field.data, "2026-11 mx1/4711", "the field");
    IS_INT(adjustment_print(&a, &value, &err), 0, "printed");
    IS_STR(value.data, text, "the value");
    IS_INT(adjustment_parse(buf_slice(&field), buf_slice(&value), &arena, &b, &err), 0, "read");
    OK(memcmp(a.amounts, b.amounts, sizeof a.amounts) == 0 && b.at_s == a.at_s, "its numbers");
    IS_SLICE(b.period, a.period, "its period");
    IS_SLICE(b.id, a.id, "its id");
    IS_SLICE(b.reason, a.reason, "its reason");
    IS_SLICE(b.evidence, a.evidence, "its evidence");
    IS_SLICE(b.by, a.by, "its author");
    IS_INT(adjustment_parse(SLICE("2026-11 x"),
                            SLICE("{\"at\":1,\"amounts\":{\"new\":5,\"in_bytes\":7}}"), &arena, &b,
                            &err),
           0, "with a counter that is not known");
    IS_INT(b.amounts[COUNTER_IN_BYTES], 7, "the others are read");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(adjustment_parse(slice_str(bad[i].field), slice_str(bad[i].value), &arena, &b, &err) ==
                   -1 &&
               err.code == EX_DATAERR,
           bad[i].value);
    buf_fini(&field);
    buf_fini(&value);
    arena_fini(&arena);
    return tap_done();
}
