#include "cli/hold_queue.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/buf.h"
#include "lib/sys/clock.h"
#include "lib/sys/program.h"

#define LIST_MS      120000
#define RELEASE_MS   30000
#define OUTPUT_BYTES ((size_t)1 << 30)
#define ERROR_BYTES  ((size_t)64 << 10)

/* --- programs -------------------------------------------------------------------------------- */

/* Without a login shell, as from cron, PATH may miss the folders of root's programs. */
static void path_complete(void)
{
    static const char more[] = "/usr/sbin:/usr/local/sbin:/sbin";
    const char *path = getenv("PATH");
    struct buf b;

    if (path != NULL && strstr(path, more) != NULL)
        return;
    buf_init(&b, 1 << 20);
    buf_addf(&b, "%s:%s", path != NULL ? path : "/usr/bin:/bin", more);
    (void)setenv("PATH", b.data, 1);
    buf_fini(&b);
}

static bool is_there(const char *program)
{
    struct slice rest, dir;
    char path[4096];
    bool found = false;

    path_complete();
    rest = slice_str(getenv("PATH"));
    while (!found && slice_cut(&rest, ':', &dir)) {
        (void)snprintf(path, sizeof path, "%.*s/%s", SLICE_FMT(dir), program);
        found = access(path, X_OK) == 0;
    }
    return found;
}

/* `option`: how an error names the call. */
static int run(const char *const *argv, const char *option, int64_t timeout_ms, struct buf *out,
               struct err *err)
{
    struct buf errors;
    int status;

    path_complete();
    buf_init(&errors, ERROR_BYTES);
    status = program_run(argv, SLICE_NONE, out, &errors, clock_monotonic_ms() + timeout_ms, err);
    if (status > 0)
        (void)err_set(err, EX_UNAVAILABLE, "%s %s: %.*s", argv[0], option,
                      SLICE_FMT(slice_trim(slice_to(buf_slice(&errors), 300))));
    buf_fini(&errors);
    return status == 0 ? 0 : -1;
}

/* `postqueue [-c DIR] OPTION [WORD]` */
static int run_postfix(const struct hold_queues *q, const char *program, const char *option,
                       const char *word, int64_t timeout_ms, struct buf *out, struct err *err)
{
    const char *argv[6] = {program};
    size_t argc = 1;

    if (q->config_dir != NULL) {
        argv[argc++] = "-c";
        argv[argc++] = q->config_dir;
    }
    argv[argc++] = option;
    argv[argc] = word;
    return run(argv, option, timeout_ms, out, err);
}

/* `tollgate-relay -c FILE queue VERB WORD` */
static int run_relay(const struct hold_queues *q, const char *verb, const char *word,
                     int64_t timeout_ms, struct buf *out, struct err *err)
{
    const char *const argv[] = {"tollgate-relay", "-c", q->relay_conf, "queue", verb, word, NULL};

    return run(argv, "queue", timeout_ms, out, err);
}

/* --- listing --------------------------------------------------------------------------------- */

static int put(struct arena *arena, struct strmap *out, const char *id, struct on_hold m)
{
    struct slice key = arena_copy(arena, slice_str(id));
    struct on_hold *value = arena_alloc(arena, sizeof *value);
    void **place = key.ptr != NULL && value != NULL ? strmap_add(out, key, NULL) : NULL;

    if (place == NULL)
        return -1;
    *value = m;
    *place = value;
    return 0;
}

/* {"queue_name":"hold","queue_id":"4jW...","arrival_time":1793000000, ...}, of both programs. */
static int take_line(struct slice line, bool in_relay, struct arena *arena, struct strmap *out,
                     struct err *err)
{
    json_t *o = json_loadb(line.ptr, line.len, 0, NULL);
    const char *queue = json_string_value(json_object_get(o, "queue_name"));
    const char *id = json_string_value(json_object_get(o, "queue_id"));
    const json_t *arrival = json_object_get(o, "arrival_time");
    struct on_hold m = {json_integer_value(arrival), in_relay};
    int result = 0;

    if (queue == NULL || id == NULL || !json_is_integer(arrival))
        result = err_set(err, EX_UNAVAILABLE, "unexpected output of %s -j: \"%.*s\"",
                         in_relay ? "tollgate-relay queue list" : "postqueue",
                         SLICE_FMT(slice_to(line, 100)));
    else if (strcmp(queue, "hold") == 0 && put(arena, out, id, m) != 0)
        result = err_set(err, EX_OSERR, "out of memory for the hold queue");
    json_decref(o);
    return result;
}

static int read_one(const struct hold_queues *q, bool in_relay, struct arena *arena,
                    struct strmap *out, struct err *err)
{
    struct slice rest, line;
    struct buf list;
    int result;

    buf_init(&list, OUTPUT_BYTES);
    result = in_relay ? run_relay(q, "list", "-j", LIST_MS, &list, err)
                      : run_postfix(q, "postqueue", "-j", NULL, LIST_MS, &list, err);
    rest = buf_slice(&list);
    while (result == 0 && slice_cut(&rest, '\n', &line)) {
        if (slice_trim(line).len > 0)
            result = take_line(line, in_relay, arena, out, err);
    }
    buf_fini(&list);
    return result;
}

int hold_queue_read(struct hold_queues *q, struct arena *arena, struct strmap *out, struct err *err)
{
    q->problem.code = 0;
    if (q->relay_conf == NULL)
        return read_one(q, false, arena, out, err);
    if (read_one(q, true, arena, out, err) != 0)
        return -1;
    if (is_there("postqueue"))
        (void)read_one(q, false, arena, out, &q->problem);
    return 0;
}

/* --- releasing ------------------------------------------------------------------------------- */

/* postsuper moves it to the deferred queue, which Postfix scans every few minutes only. postqueue
 * -i schedules it at once; where that fails, the next scan does. */
static int postfix_release(const struct hold_queues *q, const char *id, struct buf *out,
                           struct err *err)
{
    struct err ignored = {0};

    if (run_postfix(q, "postsuper", "-H", id, RELEASE_MS, out, err) != 0)
        return -1;
    (void)run_postfix(q, "postqueue", "-i", id, RELEASE_MS, out, &ignored);
    return 0;
}

int hold_queue_release(const struct hold_queues *q, const char *id, const struct on_hold *m,
                       struct err *err)
{
    struct buf out;
    int result;

    buf_init(&out, ERROR_BYTES);
    result = m->in_relay ? run_relay(q, "release", id, RELEASE_MS, &out, err)
                         : postfix_release(q, id, &out, err);
    buf_fini(&out);
    return result;
}
