/* What is open is found, ordered by age, saved as changes, and comes back. */
#include "t/tap.h"

#include <stdlib.h>

#include "collect/open.h"
#include "t/random.h"

#define KEYS 500

static int living;

static void *number_new(uint64_t value)
{
    uint64_t *n = malloc(sizeof *n);

    *n = value;
    living++;
    return n;
}

static void number_encode(const void *thing, struct buf *out)
{
    buf_add_varint(out, *(const uint64_t *)thing);
}

static void *number_decode(struct slice bytes)
{
    uint64_t value;

    return slice_take_varint(&bytes, &value) ? number_new(value) : NULL;
}

static void number_release(void *thing)
{
    living--;
    free(thing);
}

static const struct open_thing numbers = {number_encode, number_decode, number_release};

static struct open_book *book(void)
{
    struct open_book *b = open_new();

    for (int i = 0; i < OPEN_KINDS; i++)
        open_type(b, (enum open_kind)i, &numbers);
    return b;
}

static uint64_t value_of(const struct open_book *b, enum open_kind kind, struct slice key)
{
    const uint64_t *n = open_find(b, kind, key);

    return n != NULL ? *n : UINT64_MAX;
}

static void test_order(void)
{
    struct open_book *b = book();
    struct open_entry *one = open_add(b, OPEN_SMTPD, SLICE("one"), number_new(1), 10);

    OK(open_add(b, OPEN_SMTPD, SLICE("two"), number_new(2), 11) != NULL &&
           open_add(b, OPEN_MAIL, SLICE("one"), number_new(3), 12) != NULL,
       "added");
    IS_SLICE(open_oldest(b, OPEN_SMTPD)->key, SLICE("one"), "the first is the oldest");
    open_touch(b, one, 13);
    IS_SLICE(open_oldest(b, OPEN_SMTPD)->key, SLICE("two"), "touched, it is the newest");
    IS_INT(value_of(b, OPEN_MAIL, SLICE("one")), 3, "keys are those of a kind");
    OK(open_add(b, OPEN_SMTPD, SLICE("two"), number_new(4), 14) != NULL, "added again");
    IS_INT(value_of(b, OPEN_SMTPD, SLICE("two")), 4, "the new thing is there");
    IS_INT(open_count(b, OPEN_SMTPD), 2, "once");
    IS_INT(living, 3, "the old one has been released");
    open_free(b);
    IS_INT(living, 0, "all released");
}

/* A table of what was saved, as a database would have it. */
struct saved {
    bool is_there;
    int64_t touched_ms;
    char bytes[16];
    size_t len;
};

static void save(struct open_book *b, struct saved *db)
{
    struct open_entry *at = NULL;
    struct open_change c;

    while (open_change_next(b, &at, &c) == 1) {
        uint64_t key = 0;
        struct saved *s;

        if (!slice_number(c.key, &key))
            OK(false, "a key that was given");
        s = &db[key];
        s->is_there = !c.is_gone;
        s->touched_ms = c.touched_ms;
        s->len = c.bytes.len;
        if (!c.is_gone)
            memcpy(s->bytes, c.bytes.ptr, c.bytes.len);
    }
    open_saved(b);
}

static struct open_book *load(const struct saved *db)
{
    struct open_book *b = book();
    char key[8];

    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        if (db[i].is_there)
            (void)open_restore(b, &(struct open_change){.kind = OPEN_MAIL,
                                                        .key = slice_str(key),
                                                        .touched_ms = db[i].touched_ms,
                                                        .bytes = {db[i].bytes, db[i].len}});
    }
    return b;
}

/* Against a plain array, with a kill now and then. */
static void test_random(void)
{
    static struct saved db[KEYS];
    static uint64_t reference[KEYS];
    struct open_book *b = book();
    struct random_source seed = {7};
    int wrong = 0;
    char key[8];

    memset(reference, 0xff, sizeof reference);
    for (int64_t i = 0; i < 40000; i++) {
        unsigned k = (unsigned)random_below(&seed, KEYS), what = (unsigned)random_below(&seed, 100);
        struct open_entry *e;

        (void)snprintf(key, sizeof key, "%u", k);
        e = open_entry(b, OPEN_MAIL, slice_str(key));
        wrong += value_of(b, OPEN_MAIL, slice_str(key)) != reference[k];
        if (what < 50) {
            reference[k] = random_below(&seed, 1 << 30);
            wrong += open_add(b, OPEN_MAIL, slice_str(key), number_new(reference[k]), i) == NULL;
        } else if (what < 90 && e != NULL) {
            open_drop(b, e);
            reference[k] = UINT64_MAX;
        }
        if (what == 99) {
            save(b, db);
            open_free(b);
            b = load(db);
        } else if (what > 96) {
            save(b, db);
        }
    }
    IS_INT(wrong, 0, "40,000 steps with saves and restarts: as the array has it");
    open_free(b);
    IS_INT(living, 0, "all released");
}

static void test_damaged(void)
{
    struct open_book *b = book();

    OK(!open_restore(b, &(struct open_change){.kind = OPEN_MAIL, .key = SLICE("x")}),
       "what cannot be decoded is dropped");
    IS_INT(open_count(b, OPEN_MAIL), 0, "nothing is there");
    open_free(b);
}

int main(void)
{
    test_order();
    test_random();
    test_damaged();
    return tap_done();
}
