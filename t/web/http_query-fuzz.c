/* Any target: what is decoded is text, within its limits, and each parameter stands once. */
#include "lib/core/err.h"
#include "lib/core/utf8.h"
#include "web/http_query.h"
#include "web/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct slice text)
{
    TG_ASSERT(utf8_valid(text));
    for (size_t i = 0; i < text.len; i++)
        TG_ASSERT((unsigned char)text.ptr[i] >= ' ');
}

static void check_query(const struct http_query *q)
{
    TG_ASSERT(q->count <= HTTP_QUERY_MAX);
    for (size_t i = 0; i < q->count; i++) {
        check_text(q->items[i].name);
        check_text(q->items[i].value);
        TG_ASSERT(q->items[i].value.len > 0 && q->items[i].value.len <= HTTP_QUERY_VALUE_BYTES);
        for (size_t j = 0; j < i; j++)
            TG_ASSERT(!slice_equal(q->items[i].name, q->items[j].name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request r = {.segment_count = 0};
    struct http_query q;
    struct arena arena;
    struct err err = {0};

    arena_init(&arena, 1 << 20);
    if (http_request_target(&r, (struct slice){(const char *)data, size}, &arena)) {
        TG_ASSERT(r.segment_count <= HTTP_SEGMENTS_MAX);
        for (size_t i = 0; i < r.segment_count; i++) {
            check_text(r.segments[i]);
            TG_ASSERT(r.segments[i].len > 0 && slice_find(r.segments[i], '/') < 0);
        }
        if (http_query_parse(r.query, &arena, &q, &err) == 0)
            check_query(&q);
        else
            TG_ASSERT(err.code != 0 && err.text[0] != '\0');
    }
    arena_fini(&arena);
    return 0;
}
