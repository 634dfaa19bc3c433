/* Lists of main.cf, out of any bytes: items stay inside, each takes something, the end comes. */
#include "lib/core/err.h"
#include "lib/core/postfix_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = {(const char *)data, size}, rest = all, name, value;
    struct postfix_item item;
    size_t left = rest.len;

    while (postfix_list_next(&rest, &item)) {
        TG_ASSERT(rest.len < left && is_inside(item.text, all) && is_inside(item.path, item.text));
        TG_ASSERT(item.kind == POSTFIX_TABLE || (!item.listable && item.path.len == 0));
        TG_ASSERT(item.kind != POSTFIX_FILE || item.text.ptr[0] == '/');
        left = rest.len;
    }
    if (postfix_list_setting(all, &name, &value))
        TG_ASSERT(name.len > 0 && is_inside(name, all) && is_inside(value, all));
    return 0;
}
