#include "collect/sink.h"

#define STEP_S 900

static int64_t floor_s(int64_t time_ms)
{
    return time_ms >= 0 ? time_ms / 1000 : -((-time_ms + 999) / 1000);
}

void sink_seconds(const struct sink *s, int64_t from_ms, int64_t to_ms, const struct payer *payer,
                  enum counter id)
{
    int64_t from_s = floor_s(from_ms), to_s = floor_s(to_ms);

    while (from_s < to_s) {
        int64_t end_s = (from_s / STEP_S + 1) * STEP_S;

        if (end_s > to_s)
            end_s = to_s;
        s->count(s->to, from_s * 1000, payer, id, (uint64_t)(end_s - from_s));
        from_s = end_s;
    }
}
