#include "lib/ledger/turns.h"

int64_t turns_pause_ms(const struct turns *t)
{
    int64_t gather_ms =
        t->rows < TURNS_ROWS_MANY ? (int64_t)(t->rows / TURNS_ROWS_MS) : TURNS_PAUSE_MAX_MS;

    return t->pause_ms > gather_ms ? t->pause_ms : gather_ms;
}

unsigned turns_rest_times(const struct turns *t, uint64_t rows)
{
    uint64_t least_s = rows < TURNS_ROWS_MANY ? TURNS_MAIL_S : TURNS_BUSY_S;

    return t->mail_s >= least_s ? TURNS_REST_TIMES : 0;
}

void turns_look(struct turns *t, uint64_t number, int64_t now_ms)
{
    uint64_t ms = now_ms > t->looked_ms ? (uint64_t)(now_ms - t->looked_ms) : 1;

    t->mail_s = t->looked_ms != 0 ? (number - t->number) * 1000 / ms : 0;
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
