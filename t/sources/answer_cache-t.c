/* answer_cache: answers are known for their time, and the oldest make room. */
#include "lib/sources/answer_cache.h"

#include "t/tap.h"

static void test_cache(void)
{
    struct answer_cache *c = answer_cache_new();
    struct buf value;
    bool found = false;
    char key[32];

    buf_init(&value, 1000);
    for (int i = 0; i < 120000; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        answer_cache_put(c, QUESTION_LOGIN, slice_str(key), true, slice_str(key), 100);
    }
    IS_INT(answer_cache_get(c, QUESTION_LOGIN, SLICE("k0"), 50, &found, &value), CACHED_NOT,
           "the oldest are gone");
    IS_INT(answer_cache_get(c, QUESTION_LOGIN, SLICE("k60000"), 50, &found, &value), CACHED_FRESH,
           "newer are there");
    IS_INT(answer_cache_get(c, QUESTION_LOGIN, SLICE("k60000"), 100, &found, &value), CACHED_STALE,
           "for their time");
    IS_INT(answer_cache_get(c, QUESTION_DOMAIN, SLICE("k60000"), 50, &found, &value), CACHED_NOT,
           "of their kind");
    answer_cache_put(c, QUESTION_LOGIN, SLICE("k60000"), false, SLICE_NONE, 200);
    buf_reset(&value);
    OK(answer_cache_get(c, QUESTION_LOGIN, SLICE("k60000"), 150, &found, &value) == CACHED_FRESH &&
           !found && value.len == 0,
       "the newest answer counts");
    buf_fini(&value);
    answer_cache_free(c);
}

int main(void)
{
    test_cache();
    return tap_done();
}
