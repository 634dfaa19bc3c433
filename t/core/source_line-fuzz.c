/* Lines of lists and socketmap replies, out of any bytes: parts stay inside, parsing ends, what was
 * taken is what stands there. */
#include <string.h>

#include "lib/core/err.h"
#include "lib/core/socketmap.h"
#include "lib/core/source_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_line(enum source_use use, struct slice line)
{
    struct source_entry e;
    struct slice rest, target;
    struct err err;
    size_t left;

    if (source_line_parse(use, line, &e, &err) <= 0)
        return;
    TG_ASSERT(e.key.len > 0 && is_inside(e.key, line) && is_inside(e.value, line));
    TG_ASSERT(use == SOURCE_DOMAINS || e.value.len > 0);
    for (rest = e.value, left = rest.len; source_line_target_next(&rest, &target);
         left = rest.len) {
        TG_ASSERT(target.len > 0 && is_inside(target, e.value));
        TG_ASSERT(rest.len < left || left == 0);
    }
}

static void check_netstrings(struct slice bytes)
{
    struct slice rest = bytes, out, value;
    size_t left = rest.len;
    struct err err;

    while (socketmap_netstring_take(&rest, SOCKETMAP_REPLY_MAX, &out) > 0) {
        TG_ASSERT(is_inside(out, bytes) && rest.len < left && left - rest.len >= out.len + 3);
        left = rest.len;
        if (socketmap_reply(out, &value, &err) > 0)
            TG_ASSERT(is_inside(value, bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = {(const char *)data, size};

    check_line(SOURCE_DOMAINS, bytes);
    check_line(SOURCE_FORWARDS, bytes);
    check_line(SOURCE_LOGINS, bytes);
    check_line(SOURCE_CUSTOMERS, bytes);
    check_netstrings(bytes);
    return 0;
}
