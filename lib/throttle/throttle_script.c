#include "lib/throttle/throttle_script.h"

#include <sysexits.h>

/* One goes by the script's digest alone; several in a pipeline, which brings the source. */
static int commands_send(struct store *st, const struct throttle_command *due, size_t count,
                         redisReply **replies, int64_t timeout_ms, struct err *err)
{
    if (count == 1) {
        replies[0] =
            store_script(st, &throttle_script, due->keys, due->argc, due->argv, timeout_ms, err);
        return replies[0] == NULL ? -1 : 0;
    }
    for (size_t i = 0; i < count; i++)
        store_pipe_add_script(st, &throttle_script, due[i].keys, due[i].argc, due[i].argv);
    return store_pipe_run(st, replies, timeout_ms, err);
}

static int trip(struct store *st, struct throttle_call *c, const struct throttle_command *due,
                size_t count, int64_t timeout_ms, struct arena *arena, struct err *err)
{
    redisReply **replies = arena_array(arena, count, sizeof *replies);
    int result;

    if (replies == NULL)
        return err_set(err, EX_TEMPFAIL, "message with too many limits to test: out of memory");
    if (commands_send(st, due, count, replies, timeout_ms, err) != 0)
        return -1;
    result = throttle_call_take(c, replies, err);
    for (size_t i = 0; i < count; i++)
        freeReplyObject(replies[i]);
    return result;
}

int throttle_script_run(struct store *st, struct throttle_call *c, int64_t timeout_ms,
                        struct arena *arena, struct err *err)
{
    const struct throttle_command *due;
    size_t count;

    while ((count = throttle_call_due(c, &due)) > 0) {
        if (trip(st, c, due, count, timeout_ms, arena, err) != 0)
            return throttle_call_is_answered(c) ? 0 : -1;
    }
    return 0;
}
