/* Slots of keys, against those that redis-server gives (CLUSTER KEYSLOT), and of commands. */
#include "t/tap.h"

#include "lib/core/hash_slot.h"

static int command(const char *text)
{
    struct slice rest = slice_str(text), argv[16];
    size_t argc = 0;

    while (slice_word(&rest, " ", &argv[argc]))
        argc++;
    return hash_slot_of_command(argc, argv);
}

static void test_keys(void)
{
    static const struct {
        const char *key;
        unsigned slot;
    } rows[] = {{"", 0},
                {"123456789", 12739},
                {"foo", 12182},
                {"tg:{example.com}:total", 8592},
                {"tg:violations", 13482},
                {"{}x", 10595},
                {"a{b", 13340},
                {"{{b}}", 6215},
                {"{user}{x}", 5474}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        IS_INT(hash_slot_of_key(slice_str(rows[i].key)), rows[i].slot, rows[i].key);
    IS_INT(hash_slot_of_key(SLICE("tg:restored:{tg:violations}:mx1")),
           hash_slot_of_key(SLICE("tg:violations")), "a key in braces and the key itself");
    IS_INT(hash_slot_of_key(SLICE("tg:{example.com}:limits")),
           hash_slot_of_key(SLICE("tg:{example.com}:total")), "all keys of an account");
}

static void test_commands(void)
{
    int foo = 12182;

    IS_INT(command("GET foo"), foo, "most commands begin with their key");
    IS_INT(command("EVALSHA abc 2 foo bar 1"), foo, "the first key of a script");
    IS_INT(command("eval x 1 foo"), foo, "in small letters");
    IS_INT(command("EVAL x 0 foo"), HASH_SLOT_NONE, "a script without keys");
    IS_INT(command("XREAD COUNT 1000 STREAMS foo 0"), foo, "streams that are read");
    IS_INT(command("XREAD COUNT 1000"), HASH_SLOT_NONE, "none");
    IS_INT(command("PING"), HASH_SLOT_NONE, "PING");
    IS_INT(command("INFO server"), HASH_SLOT_NONE, "INFO");
    IS_INT(command("TIME"), HASH_SLOT_NONE, "TIME");
    IS_INT(hash_slot_of_command(0, NULL), HASH_SLOT_NONE, "nothing");
}

int main(void)
{
    test_keys();
    test_commands();
    return tap_done();
}
