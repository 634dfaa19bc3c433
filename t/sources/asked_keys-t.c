/* asked_keys: who asks for a key, and who waits for that. */
#include "lib/sources/asked_keys.h"

#include <stdatomic.h>
#include <sysexits.h>
#include <unistd.h>

#include "t/tap.h"

static struct asked_keys asked;
static atomic_bool has_ended;

static struct asked_batch batch(struct asked_key *keys, size_t count, const char *const *names)
{
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct asked_key){.key = slice_str(names[i])};
    return (struct asked_batch){.kind = QUESTION_DOMAIN, .keys = keys, .count = count};
}

static void *end_later(void *of)
{
    (void)usleep(50000);
    atomic_store(&has_ended, true);
    asked_keys_end(&asked, of, NULL);
    return NULL;
}

static void test_shared(void)
{
    struct asked_key a_keys[2], b_keys[2], c_keys[1];
    struct asked_batch a = batch(a_keys, 2, (const char *[]){"one.test", "two.test"}),
                       b = batch(b_keys, 2, (const char *[]){"two.test", "three.test"}),
                       c = batch(c_keys, 1, (const char *[]){"one.test"});
    pthread_t thread;

    c.kind = QUESTION_FORWARD;
    asked_keys_begin(&asked, &a);
    asked_keys_begin(&asked, &b);
    asked_keys_begin(&asked, &c);
    OK(!a_keys[0].is_others && !a_keys[1].is_others, "the first one asks for all");
    OK(b_keys[0].is_others && !b_keys[1].is_others, "the next for what is not asked for yet");
    OK(!c_keys[0].is_others, "a question of another kind is another one");
    asked_keys_end(&asked, &c, NULL);
    asked_keys_end(&asked, &b, NULL);
    (void)pthread_create(&thread, NULL, end_later, &a);
    asked_keys_await(&asked, &b);
    OK(atomic_load(&has_ended) && b_keys[0].err.code == 0, "and waits for the other's answer");
    (void)pthread_join(thread, NULL);
    asked_keys_begin(&asked, &c);
    OK(!c_keys[0].is_others, "what has ended is asked for anew");
    asked_keys_end(&asked, &c, NULL);
}

/* Each waits for the other: both have asked before. */
static void test_circle(void)
{
    struct asked_key a_keys[2], b_keys[2];
    struct asked_batch a = batch(a_keys, 1, (const char *[]){"one.test"}),
                       b = batch(b_keys, 2, (const char *[]){"two.test", "one.test"});
    const struct err why = {EX_UNAVAILABLE, "the map is away"};

    asked_keys_begin(&asked, &a);
    asked_keys_begin(&asked, &b);
    asked_keys_end(&asked, &b, NULL);
    asked_keys_end(&asked, &a, &why);
    asked_keys_await(&asked, &a);
    asked_keys_await(&asked, &b);
    IS_INT(b_keys[1].err.code, EX_UNAVAILABLE, "a failure is told");
    OK(strcmp(b_keys[1].err.text, why.text) == 0, "with its cause");
    IS_INT(b_keys[0].err.code, 0, "for that key alone");
}

int main(void)
{
    asked_keys_init(&asked);
    test_shared();
    test_circle();
    asked_keys_fini(&asked);
    return tap_done();
}
