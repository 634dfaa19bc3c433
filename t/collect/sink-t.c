/* Seconds go to their quarter of an hour, and pieces add up to the whole. */
#include "t/tap.h"

#include "collect/sink.h"
#include "t/random.h"

static struct seen {
    uint64_t total;
    uint64_t by_quarter[64];
    bool is_wrong;
} seen;

static void count(void *to, int64_t time_ms, const struct payer *payer, enum counter id,
                  uint64_t amount)
{
    struct seen *s = to;
    int64_t end_s = time_ms / 1000 + (int64_t)amount - 1;

    (void)payer;
    s->is_wrong = s->is_wrong || id != COUNTER_POP_CONNECTION_SECONDS || amount == 0 ||
                  time_ms / 900000 != end_s / 900;
    s->total += amount;
    s->by_quarter[time_ms / 900000 % 64] += amount;
}

static const struct sink sink = {.to = &seen, .count = count};

static void seconds(int64_t from_ms, int64_t to_ms)
{
    sink_seconds(&sink, from_ms, to_ms, &PAYER_NONE, COUNTER_POP_CONNECTION_SECONDS);
}

int main(void)
{
    struct random_source seed = {3};
    struct seen whole;

    seconds(1000, 900999);
    IS_INT(seen.total, 899, "15 minutes less a second");
    seconds(899500, 901000);
    IS_INT(seen.by_quarter[0], 899 + 1, "the end of a quarter");
    IS_INT(seen.by_quarter[1], 1, "the beginning of the next");
    seconds(5000, 5999);
    seconds(7000, 6000);
    IS_INT(seen.total, 901, "less than a second, or none at all");
    seen = (struct seen){0};
    seconds(1234, 30123456);
    whole = seen;
    seen = (struct seen){0};
    for (int64_t at = 1234, next; at < 30123456; at = next) {
        next = at + (int64_t)random_below(&seed, 100000);
        if (next > 30123456)
            next = 30123456;
        seconds(at, next);
    }
    OK(memcmp(&whole, &seen, sizeof whole) == 0, "pieces add up to the whole");
    OK(!seen.is_wrong, "no piece reaches over the end of a quarter");
    return tap_done();
}
