/* Parameters: what is read, and what is refused with the fix. */
#include <sysexits.h>

#include "t/tap.h"
#include "web/http_query.h"

static struct arena arena;

static void good(void)
{
    struct http_query q;
    struct err err = {0};

    OK(http_query_parse(SLICE("from=2026-11&user=j%C3%B6rg+x%40example.com&domain=&a%20b=1&"),
                        &arena, &q, &err) == 0,
       "a query is read");
    IS_INT(q.count, 3, "parameters without a value are none");
    IS_SLICE(http_query_get(&q, "user"), SLICE("j\xc3\xb6rg x@example.com"), "values are decoded");
    IS_SLICE(http_query_get(&q, "a b"), SLICE("1"), "and names");
    OK(http_query_get(&q, "domain").ptr == NULL, "one that is empty is not given");
    OK(http_query_parse(SLICE(""), &arena, &q, &err) == 0 && q.count == 0, "none at all");
}

static void bad(void)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        {"a=1&a=2", "a: given twice: give it once"},
        {"a=%zz", "a parameter of the address is not percent-encoded UTF-8: remove it"},
        {"a=%4", "a parameter of the address is not percent-encoded UTF-8: remove it"},
        {"a=%00", "a parameter of the address is not percent-encoded UTF-8: remove it"},
        {"a=%0a", "a parameter of the address is not percent-encoded UTF-8: remove it"},
        {"a=%ff", "a parameter of the address is not percent-encoded UTF-8: remove it"},
        {"a=%e2%80%ae", "a parameter of the address is not percent-encoded UTF-8: remove it"},
        {"a=%ed%a0%80", "a parameter of the address is not percent-encoded UTF-8: remove it"},
    };
    struct http_query q;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct err err = {0};

        OK(http_query_parse(slice_str(table[i].text), &arena, &q, &err) != 0 &&
               err.code == EX_USAGE,
           table[i].text);
        IS_STR(err.text, table[i].says, "says why");
    }
}

static void bounds(void)
{
    char text[4096] = "a=", *at = text + 2;
    struct http_query q;
    struct err err = {0};

    memset(at, 'x', HTTP_QUERY_VALUE_BYTES);
    OK(http_query_parse(slice_str(text), &arena, &q, &err) == 0, "the longest value");
    at[HTTP_QUERY_VALUE_BYTES] = 'x';
    OK(http_query_parse(slice_str(text), &arena, &q, &err) != 0, "one that is longer");
    at = text;
    for (int i = 0; i < HTTP_QUERY_MAX; i++)
        at += sprintf(at, "p%d=1&", i);
    OK(http_query_parse(slice_str(text), &arena, &q, &err) == 0 && q.count == HTTP_QUERY_MAX,
       "the most parameters");
    (void)sprintf(at, "more=1");
    OK(http_query_parse(slice_str(text), &arena, &q, &err) != 0, "one more");
}

static void names(void)
{
    static const char *const known[] = {"from", "to", "sort", NULL};
    static const char *const none[] = {NULL};
    struct http_query q;
    struct err err = {0};

    OK(http_query_parse(SLICE("from=1&srot=2"), &arena, &q, &err) == 0 &&
           http_query_allow(&q, known, &err) != 0,
       "an unknown name is refused");
    IS_STR(err.text, "srot: unknown parameter: write sort", "with the one that was meant");
    OK(http_query_allow(&q, none, &err) != 0, "where none is known");
    IS_STR(err.text, "from: unknown parameter: remove it; this page takes none", "it says so");
    OK(http_query_parse(SLICE("from=1&to=2"), &arena, &q, &err) == 0 &&
           http_query_allow(&q, known, &err) == 0,
       "known ones are not");
}

int main(void)
{
    arena_init(&arena, 1 << 20);
    good();
    bad();
    bounds();
    names();
    arena_fini(&arena);
    return tap_done();
}
