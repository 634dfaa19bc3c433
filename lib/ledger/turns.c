#include "lib/ledger/turns.h"

int64_t turns_pause_ms(const struct turns *t)
{
    int64_t gather_ms = t->rows < (uint64_t)TURNS_PAUSE_MAX_MS * TURNS_ROWS_MS
                            ? (int64_t)(t->rows / TURNS_ROWS_MS)
                            : TURNS_PAUSE_MAX_MS;

    return t->pause_ms > gather_ms ? t->pause_ms : gather_ms;
}

int64_t turns_wait_ms(const struct turns *t, bool at_once)
{
    if (!at_once)
        return turns_pause_ms(t);
    return t->is_busy ? TURNS_REST_MS : 0;
}

void turns_look(struct turns *t, uint64_t number, int64_t now_ms)
{
    uint64_t ms = now_ms > t->looked_ms ? (uint64_t)(now_ms - t->looked_ms) : 1;

    t->is_busy = t->looked_ms != 0 && number - t->number >= ms * TURNS_BUSY_MS;
    t->number = number;
    t->looked_ms = now_ms;
}

void turns_begin(struct turns *t, bool at_once, bool is_asked)
{
    if (!at_once)
        t->rows = 0;
    if (!at_once || is_asked)
        t->fold_next_ms = 0;
}

bool turns_fold_is_due(const struct turns *t, int64_t now_ms)
{
    return now_ms >= t->fold_next_ms;
}

void turns_folded(struct turns *t, uint64_t rows, int64_t now_ms)
{
    if (rows > t->rows)
        t->rows = rows;
    t->fold_next_ms = now_ms + turns_pause_ms(t);
}
