#include "lib/core/hash_slot.h"

#include <stdint.h>

static uint16_t crc16(struct slice s)
{
    unsigned crc = 0;

    for (size_t i = 0; i < s.len; i++) {
        crc ^= (unsigned)(unsigned char)s.ptr[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000U) != 0 ? crc << 1 ^ 0x1021U : crc << 1;
    }
    return (uint16_t)crc;
}

unsigned hash_slot_of_key(struct slice key)
{
    ptrdiff_t open = slice_find(key, '{'), close;

    if (open >= 0) {
        struct slice tag = slice_from(key, (size_t)open + 1);

        close = slice_find(tag, '}');
        if (close > 0)
            key = slice_to(tag, (size_t)close);
    }
    return crc16(key) % HASH_SLOTS;
}

/* Where the first key stands: 0 where there is none. */
static size_t key_index(size_t argc, const struct slice *argv)
{
    static const char *const keyless[] = {"PING", "TIME",    "INFO",   "ECHO", "SCRIPT", "CLUSTER",
                                          "ROLE", "COMMAND", "CONFIG", "ACL",  "CLIENT", "DBSIZE"};

    if (slice_equal_nocase(argv[0], SLICE("EVAL")) || slice_equal_nocase(argv[0], SLICE("EVALSHA")))
        return argc > 3 && !slice_equal(argv[2], SLICE("0")) ? 3 : 0;
    if (slice_equal_nocase(argv[0], SLICE("XREAD"))) {
        for (size_t i = 1; i + 1 < argc; i++)
            if (slice_equal_nocase(argv[i], SLICE("STREAMS")))
                return i + 1;
        return 0;
    }
    for (size_t i = 0; i < sizeof keyless / sizeof keyless[0]; i++)
        if (slice_equal_nocase(argv[0], slice_str(keyless[i])))
            return 0;
    return argc > 1 ? 1 : 0;
}

int hash_slot_of_command(size_t argc, const struct slice *argv)
{
    size_t at = argc == 0 ? 0 : key_index(argc, argv);

    return at == 0 ? HASH_SLOT_NONE : (int)hash_slot_of_key(argv[at]);
}
