#include "milter/limiter_asking.h"

#include <stddef.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "milter/limiter_work.h"

static struct limiter_asking *asking_of_wait(struct throttle_loop_wait *w)
{
    return (struct limiter_asking *)(void *)((char *)w - offsetof(struct limiter_asking, wait));
}

static struct limiter_asking *asking_of_trip(struct pipeline_trip *t)
{
    return (struct limiter_asking *)(void *)((char *)t - offsetof(struct limiter_asking, trip));
}

/* --- the throttle ----------------------------------------------------------------------------- */

static void conclude(struct limiter_asking *a, bool is_answered, const struct err *err)
{
    enum throttle_by by = throttle_asking_end(a->limiter->throttle, &a->throttle, is_answered);

    a->answer->tests = a->throttle.answers;
    limiter_conclude(a->limiter, a->rules, by, a->answer, err);
    limiter_report(a->limiter, a->question, a->answer);
}

static void trip_ended(struct pipeline_trip *trip, const struct err *why);

/* The commands that are due, as a trip. -1: not begun. */
static int trip_begin(struct limiter_asking *a, const struct throttle_command *due, size_t count,
                      struct err *err)
{
    struct pipeline_command *commands = arena_array(a->question->arena, count, sizeof *commands);
    redisReply **replies = arena_array(a->question->arena, count, sizeof(redisReply *));

    if (commands == NULL || replies == NULL)
        return err_set(err, EX_TEMPFAIL, "message with too many limits to test: out of memory");
    for (size_t i = 0; i < count; i++)
        commands[i] =
            (struct pipeline_command){&throttle_script, due[i].argv, due[i].argc, due[i].keys};
    a->trip = (struct pipeline_trip){.commands = commands,
                                     .count = count,
                                     .replies = replies,
                                     .deadline_ms = a->deadline_ms,
                                     .ended = trip_ended};
    return throttle_loop_trip(a->loop, &a->trip, err);
}

/* True: the end. */
static bool trips_go_on(struct limiter_asking *a)
{
    const struct throttle_command *due;
    size_t count = throttle_call_due(a->throttle.call, &due);
    struct err err = {0};

    if (count == 0) {
        conclude(a, true, NULL);
        return true;
    }
    if (trip_begin(a, due, count, &err) == 0)
        return false;
    conclude(a, throttle_call_is_answered(a->throttle.call), &err);
    return true;
}

static void trip_ended(struct pipeline_trip *trip, const struct err *why)
{
    struct limiter_asking *a = asking_of_trip(trip);
    struct err err = {0};
    int result;

    if (why == NULL) {
        result = throttle_call_take(a->throttle.call, trip->replies, &err);
        for (size_t i = 0; i < trip->count; i++)
            freeReplyObject(trip->replies[i]);
        if (result == 0 && !trips_go_on(a))
            return;
    } else {
        result = -1;
        err = *why;
    }
    if (result != 0)
        conclude(a, throttle_call_is_answered(a->throttle.call), &err);
    a->done(a);
}

static bool throttle_begin(struct limiter_asking *a)
{
    struct err err = {0};

    if (throttle_asking_begin(a->limiter->throttle, a->rules, &a->answer->checks,
                              !a->question->is_look, a->question->arena, &a->throttle, &err) == 0)
        return trips_go_on(a);
    limiter_conclude(a->limiter, a->rules, THROTTLE_BY_DEFER, a->answer, &err);
    return true;
}

/* --- the limits ------------------------------------------------------------------------------- */

static bool checks_begin(struct limiter_asking *a)
{
    if (a->answer->is_too_large || a->answer->checks.count == 0)
        return true;
    if (!limiter_look_in_memory(a->limiter, a->rules, a->question, a->answer))
        return throttle_begin(a);
    limiter_report(a->limiter, a->question, a->answer);
    return true;
}

static void limits_ready(struct throttle_loop_wait *w)
{
    struct limiter_asking *a = asking_of_wait(w);
    struct throttle_context context = {.throttle = a->limiter->throttle,
                                       .rules = a->rules,
                                       .hosted = a->question->hosted,
                                       .from_memory = true};

    limiter_build(&context, a->question, a->answer);
    if (checks_begin(a))
        a->done(a);
}

bool limiter_asking_begin(struct limiter_asking *a)
{
    struct throttle_context context = {.throttle = a->limiter->throttle,
                                       .rules = a->rules,
                                       .hosted = a->question->hosted,
                                       .from_memory = true};

    memset(a->answer, 0, sizeof *a->answer);
    if (!limiter_needs_store(a->limiter, a->rules, a->question))
        return true;
    a->deadline_ms = clock_monotonic_ms() + a->timeout_ms;
    a->wait.ready = limits_ready;
    limiter_build(&context, a->question, a->answer);
    if (context.stale_count > 0 &&
        throttle_loop_refresh(a->loop, context.stale, context.stale_count, a->deadline_ms,
                              a->question->arena, &a->wait))
        return false;
    return checks_begin(a);
}
