/* Any bytes as header fields, one a line (a blank or tab continues): bounded memory, and no field
 * undoes another. */
#include <stdint.h>

#include "lib/core/err.h"
#include "lib/core/header_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A field with its folded lines, without the last line feed. */
static bool field_take(struct slice *rest, struct slice *field)
{
    size_t len = 0;

    if (rest->len == 0)
        return false;
    while (len < rest->len) {
        if (rest->ptr[len] == '\n' &&
            (len + 1 == rest->len || (rest->ptr[len + 1] != ' ' && rest->ptr[len + 1] != '\t')))
            break;
        len++;
    }
    *field = slice_to(*rest, len);
    *rest = slice_from(*rest, len + 1);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *)data, size}, field, name;
    struct header_facts h = {.bulk = false};
    struct hosted *w = hosted_new(1 << 16);
    struct arena arena;

    TG_ASSERT(w != NULL && hosted_set_spam_header(w, SLICE("X-Spam-Flag: YES"), NULL) == 0);
    arena_init(&arena, 1 << 16);
    while (field_take(&rest, &field)) {
        struct header_facts before = h;
        struct slice value = field;

        if (!slice_cut(&value, ':', &name))
            continue;
        TG_ASSERT(header_facts_add(&h, w, &arena, name, value) == 0);
        TG_ASSERT(h.bulk >= before.bulk && h.spam >= before.spam &&
                  h.rank_source >= before.rank_source);
        for (int i = 0; i < HEADER_ADDRESSES; i++)
            TG_ASSERT(!before.has[i] || slice_equal(before.address[i].local, h.address[i].local));
    }
    TG_ASSERT(header_facts_priority(&h) <= PRIORITY_BULK &&
              (!h.bulk || header_facts_priority(&h) == PRIORITY_BULK));
    TG_ASSERT(arena.used_bytes < 8 * ADDRESS_TEXT_ROOM);
    arena_fini(&arena);
    hosted_free(w);
    return 0;
}
