#include "lib/sys/trouble.h"

#include <stdio.h>

#include "lib/sys/log.h"

#define LOG_EVERY_MS 60000

void trouble_raise(struct trouble *t, const struct err *e, int64_t now_ms)
{
    bool is_new = !t->is_on;

    t->is_on = true;
    t->raised_ms = now_ms;
    t->times++;
    (void)snprintf(t->text, sizeof t->text, "%s", e->text);
    if (!is_new && now_ms < t->log_next_ms)
        return;
    log_event(t->level, t->event, LOG_ERROR("error", e), LOG_NUM("times", t->times));
    t->times = 0;
    t->log_next_ms = now_ms + LOG_EVERY_MS;
}

void trouble_clear(struct trouble *t)
{
    if (!t->is_on)
        return;
    t->is_on = false;
    t->times = 0;
    t->text[0] = '\0';
    if (t->over != NULL)
        log_plain(LOG_NOTICE, t->over);
}

void trouble_settle(struct trouble *t, int64_t now_ms, int64_t quiet_ms)
{
    if (t->is_on && now_ms - t->raised_ms >= quiet_ms)
        trouble_clear(t);
}
