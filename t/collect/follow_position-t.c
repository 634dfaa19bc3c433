/* follow_position: what is stored comes back; what is damaged is refused. */
#include "t/tap.h"

#include <sysexits.h>

#include "collect/follow.h"
#include "t/random.h"

static uint64_t any(struct random_source *r)
{
    return random_next(r) >> random_below(r, 64);
}

static struct follow_position random_position(struct random_source *r)
{
    struct follow_position p = {
        .dev = any(r),
        .inode = any(r),
        .offset = any(r),
        .head_len = (uint32_t)any(r),
        .head_crc = (uint32_t)any(r),
        .tail_len = (uint32_t)any(r),
        .tail_crc = (uint32_t)any(r),
        .written_ns = (int64_t)any(r),
        .entry_us = (int64_t)any(r),
        .birth_ns = (int64_t)any(r),
        .is_copy = random_below(r, 2) == 1,
    };

    memset(p.cursor, 'c', random_below(r, sizeof p.cursor));
    return p;
}

static bool is_same(const struct follow_position *a, const struct follow_position *b)
{
    return a->dev == b->dev && a->inode == b->inode && a->offset == b->offset &&
           a->head_len == b->head_len && a->head_crc == b->head_crc && a->tail_len == b->tail_len &&
           a->tail_crc == b->tail_crc && a->written_ns == b->written_ns &&
           a->entry_us == b->entry_us && a->birth_ns == b->birth_ns && a->is_copy == b->is_copy &&
           strcmp(a->cursor, b->cursor) == 0;
}

static void test_round_trip(struct random_source *r)
{
    struct follow_position want, got;
    struct err err = {0};
    struct buf b;
    size_t good = 0, refused = 0, cuts = 0;

    buf_init(&b, 4096);
    for (int i = 0; i < 1000; i++) {
        want = random_position(r);
        buf_reset(&b);
        follow_position_encode(&want, &b);
        good += follow_position_decode(&got, buf_slice(&b), &err) == 0 && is_same(&want, &got);
        for (size_t len = 0; len < b.len - strlen(want.cursor); len++, cuts++)
            refused += follow_position_decode(&got, slice_to(buf_slice(&b), len), &err) == -1;
    }
    IS_INT(good, 1000, "a position comes back as it was");
    IS_INT(refused, cuts, "one that is cut is refused");
    IS_INT(err.code, EX_DATAERR, "as damaged data");
    buf_fini(&b);
}

static void test_damaged(void)
{
    struct follow_position p = {0}, got;
    struct buf b;

    buf_init(&b, 4096);
    follow_position_encode(&p, &b);
    b.data[0] = 2;
    IS_INT(follow_position_decode(&got, buf_slice(&b), NULL), -1, "a later version is refused");
    b.data[0] = 1;
    buf_add(&b, SLICE("a\0b"));
    IS_INT(follow_position_decode(&got, buf_slice(&b), NULL), -1, "a NUL in the cursor is, too");
    buf_reset(&b);
    follow_position_encode(&p, &b);
    for (int i = 0; i < FOLLOW_CURSOR_MAX - 1; i++)
        buf_add_char(&b, 'x');
    IS_INT(follow_position_decode(&got, buf_slice(&b), NULL), 0, "the longest cursor is read");
    buf_add_char(&b, 'x');
    IS_INT(follow_position_decode(&got, buf_slice(&b), NULL), -1, "a longer one is refused");
    buf_fini(&b);
}

int main(void)
{
    struct random_source seed = {9};

    test_round_trip(&seed);
    test_damaged();
    return tap_done();
}
