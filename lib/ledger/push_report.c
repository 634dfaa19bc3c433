#include "lib/ledger/push_report.h"

#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define ROWS_QUIET_MS                                                                              \
    (2 * (int64_t)SCRUB_MS) /* all rows are looked at within the time of a scrub */
#define RIVAL_QUIET_MS 60000

void push_report_init(struct push_report *r)
{
    *r = (struct push_report){
        .refused = {"redis refuses counters", "redis takes all counters again", LOG_ERR,
                    .times = 0},
        .undone = {"counters in redis were changed from outside", NULL, LOG_ERR, .times = 0},
        .rival = {"two nodes of the same name", NULL, LOG_ERR, .times = 0}};
}

bool push_report_take(struct push_report *r, struct push_findings *f, const char *where)
{
    int64_t now_ms = clock_monotonic_ms();
    bool has_lost = f->losses > 0;

    if (f->refused > 0)
        log_problem_raise(&r->refused, &f->refused_first, now_ms);
    if (f->undone > 0)
        log_problem_raise(&r->undone, &f->undone_first, now_ms);
    if (f->rival.code != 0)
        log_problem_raise(&r->rival, &f->rival, now_ms);
    if (f->left.code != 0)
        log_event(LOG_ERR, "counting continues under a new share", LOG_STR("reason", f->left.text));
    if (has_lost)
        log_event(LOG_WARNING, "redis has lost counters, pushing all again",
                  LOG_STR("redis", where));
    *f = (struct push_findings){0};
    log_problem_settle(&r->refused, now_ms, ROWS_QUIET_MS);
    log_problem_settle(&r->undone, now_ms, ROWS_QUIET_MS);
    log_problem_settle(&r->rival, now_ms, RIVAL_QUIET_MS);
    return has_lost;
}
