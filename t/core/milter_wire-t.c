#include "lib/core/milter_wire.h"

#include "t/tap.h"

static void test_round_trip(void)
{
    struct slice parts[2] = {SLICE("one"), SLICE("two")}, in;
    struct milter_wire_packet p;
    struct buf b;

    buf_init(&b, 1000);
    milter_wire_add(&b, MILTER_MAIL, 2, parts);
    milter_wire_add(&b, MILTER_ABORT, 0, NULL);
    IS_SLICE(buf_slice(&b), SLICE("\0\0\0\7Monetwo\0\0\0\1A"), "length, command, parts");
    in = buf_slice(&b);
    IS_INT(milter_wire_take(&in, 100, &p), WIRE_PACKET, "first packet");
    IS_INT(p.command, 'M', "its command");
    IS_SLICE(p.data, SLICE("onetwo"), "its data");
    IS_INT(milter_wire_take(&in, 100, &p), WIRE_PACKET, "second packet");
    IS_INT(p.command, 'A', "its command");
    IS_INT(p.data.len, 0, "no data");
    IS_INT(milter_wire_take(&in, 100, &p), WIRE_MORE, "then nothing");
    buf_fini(&b);
}

/* Cut anywhere, a packet is unfinished and nothing of it is taken. */
static void test_torn(void)
{
    struct slice whole = SLICE("\0\0\0\4Mabc"), in;
    struct milter_wire_packet p;
    int bad = 0;

    for (size_t len = 0; len < whole.len; len++) {
        in = slice_to(whole, len);
        if (milter_wire_take(&in, 100, &p) != WIRE_MORE || in.len != len)
            bad++;
    }
    IS_INT(bad, 0, "a torn packet waits for more");
}

static void test_limits(void)
{
    struct slice in = SLICE("\0\0\0\0"), at_limit = SLICE("\0\0\0\4Mabc");
    struct milter_wire_packet p;

    IS_INT(milter_wire_take(&in, 100, &p), WIRE_BAD, "length 0");
    in = SLICE("\xff\xff\xff\xffM");
    IS_INT(milter_wire_take(&in, 65535, &p), WIRE_BAD, "4 GB: refused before it is waited for");
    in = at_limit;
    IS_INT(milter_wire_take(&in, 3, &p), WIRE_PACKET, "just as long as allowed");
    in = at_limit;
    IS_INT(milter_wire_take(&in, 2, &p), WIRE_BAD, "one byte longer");
}

static void test_strings(void)
{
    struct slice data = SLICE("a\0\0bc\0d"), text;
    struct buf b;

    OK(milter_wire_take_string(&data, &text) && slice_equal(text, SLICE("a")), "a string");
    OK(milter_wire_take_string(&data, &text) && text.len == 0, "an empty one");
    OK(milter_wire_take_string(&data, &text) && slice_equal(text, SLICE("bc")), "another");
    OK(!milter_wire_take_string(&data, &text), "no NUL: no string");
    buf_init(&b, 100);
    milter_wire_add_string(&b, SLICE("x\0y"));
    IS_SLICE(buf_slice(&b), SLICE("x\0"), "a NUL within ends it: no string can become two");
    buf_fini(&b);
}

int main(void)
{
    test_round_trip();
    test_torn();
    test_limits();
    test_strings();
    return tap_done();
}
