/* Any body: what is taken is text without controls, each member known and once. */
#include "lib/core/utf8.h"
#include "web/api_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"max", "reason", "force", "soft", NULL};

static void check(const struct api_body *b)
{
    struct err err = {0};

    TG_ASSERT(b->count <= API_BODY_MAX);
    for (size_t i = 0; i < b->count; i++) {
        struct slice value = b->items[i].value;

        TG_ASSERT(utf8_valid(value));
        for (size_t k = 0; k < value.len; k++)
            TG_ASSERT((unsigned char)value.ptr[k] >= ' ');
        for (size_t k = 0; k < i; k++)
            TG_ASSERT(!slice_equal(b->items[i].name, b->items[k].name));
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        int flag = api_body_flag(b, names[i], &err);

        TG_ASSERT(flag >= -2 && flag <= 1);
        TG_ASSERT((flag == -1) == (api_body_get(b, names[i]).ptr == NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_body b;
    struct arena arena;
    struct err err = {0};

    arena_init(&arena, 1 << 20);
    if (api_body_parse((struct slice){(const char *)data, size}, names, &arena, &b, &err) == 0)
        check(&b);
    else
        TG_ASSERT(err.code != 0 && err.text[0] != '\0');
    arena_fini(&arena);
    return 0;
}
