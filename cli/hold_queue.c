#include "cli/hold_queue.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/buf.h"
#include "lib/store/program.h"
#include "lib/sys/clock.h"

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

/* `postqueue [-c DIR] OPTION [WORD]` */
static int run(const char *program, const char *config_dir, const char *option, const char *word,
               int64_t timeout_ms, struct buf *out, struct err *err)
{
    const char *argv[6] = {program};
    struct buf errors;
    size_t argc = 1;
    int status;

    if (config_dir != NULL) {
        argv[argc++] = "-c";
        argv[argc++] = config_dir;
    }
    argv[argc++] = option;
    argv[argc] = word;
    path_complete();
    buf_init(&errors, ERROR_BYTES);
    status = program_run(argv, SLICE_NONE, out, &errors, clock_monotonic_ms() + timeout_ms, err);
    if (status > 0)
        (void)err_set(err, EX_UNAVAILABLE, "%s %s: %.*s", program, option,
                      SLICE_FMT(slice_trim(slice_to(buf_slice(&errors), 300))));
    buf_fini(&errors);
    return status == 0 ? 0 : -1;
}

/* --- listing --------------------------------------------------------------------------------- */

static int put(struct arena *arena, struct strmap *out, const char *id, int64_t arrival)
{
    struct slice key = arena_copy(arena, slice_str(id));
    int64_t *value = arena_alloc(arena, sizeof *value);
    void **place = key.ptr != NULL && value != NULL ? strmap_add(out, key, NULL) : NULL;

    if (place == NULL)
        return -1;
    *value = arrival;
    *place = value;
    return 0;
}

/* {"queue_name":"hold","queue_id":"4jW...","arrival_time":1793000000, ...} */
static int take_line(struct slice line, struct arena *arena, struct strmap *out, struct err *err)
{
    json_t *o = json_loadb(line.ptr, line.len, 0, NULL);
    const char *queue = json_string_value(json_object_get(o, "queue_name"));
    const char *id = json_string_value(json_object_get(o, "queue_id"));
    const json_t *arrival = json_object_get(o, "arrival_time");
    int result = 0;

    if (queue == NULL || id == NULL || !json_is_integer(arrival))
        result = err_set(err, EX_UNAVAILABLE, "postqueue -j says \"%.*s\": what is that?",
                         SLICE_FMT(slice_to(line, 100)));
    else if (strcmp(queue, "hold") == 0 && put(arena, out, id, json_integer_value(arrival)) != 0)
        result = err_set(err, EX_OSERR, "the hold queue is too long: out of memory");
    json_decref(o);
    return result;
}

int hold_queue_read(const char *config_dir, struct arena *arena, struct strmap *out,
                    struct err *err)
{
    struct slice rest, line;
    struct buf list;
    int result;

    buf_init(&list, OUTPUT_BYTES);
    result = run("postqueue", config_dir, "-j", NULL, LIST_MS, &list, err);
    rest = buf_slice(&list);
    while (result == 0 && slice_cut(&rest, '\n', &line)) {
        if (slice_trim(line).len > 0)
            result = take_line(line, arena, out, err);
    }
    buf_fini(&list);
    return result;
}

/* --- releasing ------------------------------------------------------------------------------- */

/* postsuper moves it to the deferred queue, which is looked through every few minutes only; where
 * postqueue -i cannot make it sooner, that is when it goes. */
int hold_queue_release(const char *config_dir, const char *id, struct err *err)
{
    struct err ignored = {0};
    struct buf out;
    int result;

    buf_init(&out, ERROR_BYTES);
    result = run("postsuper", config_dir, "-H", id, RELEASE_MS, &out, err);
    if (result == 0)
        (void)run("postqueue", config_dir, "-i", id, RELEASE_MS, &out, &ignored);
    buf_fini(&out);
    return result;
}
