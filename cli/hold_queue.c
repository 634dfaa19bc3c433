#include "cli/hold_queue.h"

#include <ctype.h>
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
#define INSTANCES_MS 30000
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
static int run_postfix(const struct hold_queue *q, const char *program, const char *option,
                       const char *word, int64_t timeout_ms, struct buf *out, struct err *err)
{
    const char *argv[6] = {program};
    size_t argc = 1;

    if (q->config != NULL) {
        argv[argc++] = "-c";
        argv[argc++] = q->config;
    }
    argv[argc++] = option;
    argv[argc] = word;
    return run(argv, option, timeout_ms, out, err);
}

/* `tollgate-relay -c FILE queue VERB WORD` */
static int run_relay(const struct hold_queue *q, const char *verb, const char *word,
                     int64_t timeout_ms, struct buf *out, struct err *err)
{
    const char *const argv[] = {"tollgate-relay", "-c", q->config, "queue", verb, word, NULL};

    return run(argv, "queue", timeout_ms, out, err);
}

/* `sendmail -bp`, of what is quarantined or of the rest. */
static int run_mailq(bool quarantined, struct buf *out, struct err *err)
{
    const char *const argv[] = {"sendmail", "-bp", quarantined ? "-qQ" : NULL, NULL};

    return run(argv, "-bp", LIST_MS, out, err);
}

/* --- which queues there are ------------------------------------------------------------------ */

static int add(struct hold_queues *q, struct hold_queue one, struct err *err)
{
    if (q->count == HOLD_QUEUE_MAX)
        return err_set(err, EX_UNAVAILABLE,
                       "more than %d instances of Postfix. Fix: give "
                       "--config-dir, one after the other",
                       HOLD_QUEUE_MAX);
    q->list[q->count++] = one;
    return 0;
}

/* --config-dir /etc/postfix/ is the same as /etc/postfix. */
static int add_folder(struct hold_queues *q, struct slice folder, struct arena *arena,
                      struct err *err)
{
    while (folder.len > 1 && folder.ptr[folder.len - 1] == '/')
        folder.len--;
    folder = arena_copy(arena, folder);
    if (folder.ptr == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    return add(q, (struct hold_queue){.name = folder.ptr, .config = folder.ptr}, err);
}

/* A line of `postmulti -l`: instance, group, enabled, folder. */
static int add_instance(struct hold_queues *q, struct slice line, struct arena *arena,
                        struct err *err)
{
    struct slice word, folder = SLICE_NONE;

    while (slice_word(&line, " ", &word))
        folder = word;
    return folder.len > 0 && folder.ptr[0] == '/' ? add_folder(q, folder, arena, err) : 0;
}

/* Postfix has a sendmail program, too; only Sendmail's sums up like this. */
static bool is_sendmail(void)
{
    struct err ignored = {0};
    struct buf list;
    bool result;

    if (!is_there("sendmail"))
        return false;
    buf_init(&list, OUTPUT_BYTES);
    result = run_mailq(true, &list, &ignored) == 0 &&
             memmem(list.data, list.len, "Total requests:", 15) != NULL;
    buf_fini(&list);
    return result;
}

static int add_instances(struct hold_queues *q, struct arena *arena, struct err *err)
{
    const char *const argv[] = {"postmulti", "-l", NULL};
    struct slice rest, line;
    struct buf list;
    size_t before = q->count;
    int result = 0;

    buf_init(&list, ERROR_BYTES);
    if (run(argv, "-l", INSTANCES_MS, &list, err) == 0) {
        rest = buf_slice(&list);
        while (result == 0 && slice_cut(&rest, '\n', &line))
            result = add_instance(q, line, arena, err);
    }
    buf_fini(&list);
    if (result == 0 && q->count == before)
        result = add(q, (struct hold_queue){.name = "postfix"}, err);
    return result;
}

int hold_queue_find_all(struct hold_queues *q, const char *config_dir, const char *relay_conf,
                        struct arena *arena, struct err *err)
{
    *q = (struct hold_queues){.is_every = config_dir == NULL};
    if (relay_conf != NULL)
        (void)add(q,
                  (struct hold_queue){HOLD_QUEUE_TOLLGATE_RELAY, HOLD_QUEUE_RELAY, relay_conf, {0}},
                  err);
    if (config_dir != NULL)
        return add_folder(q, slice_str(config_dir), arena, err);
    if (is_sendmail() &&
        add(q, (struct hold_queue){HOLD_QUEUE_SENDMAIL, "sendmail", NULL, {0}}, err) != 0)
        return -1;
    if (q->count > 0 && !is_there("postqueue"))
        return 0;
    return add_instances(q, arena, err);
}

/* --- listing --------------------------------------------------------------------------------- */

static int put(struct arena *arena, struct strmap *out, const char *id, struct queued m)
{
    struct slice key = arena_copy(arena, slice_str(id));
    struct queued *value = arena_alloc(arena, sizeof *value);
    void **place = key.ptr != NULL && value != NULL ? strmap_add(out, key, NULL) : NULL;

    if (place == NULL)
        return -1;
    *value = m;
    value->next = *place;
    *place = value;
    return 0;
}

/* {"queue_name":"hold","queue_id":"4jW...","arrival_time":1793000000, ...}, of both programs. */
static int take_line(const struct hold_queue *q, struct slice line, struct arena *arena,
                     struct strmap *out, struct err *err)
{
    json_t *o = json_loadb(line.ptr, line.len, 0, NULL);
    const char *queue = json_string_value(json_object_get(o, "queue_name"));
    const char *id = json_string_value(json_object_get(o, "queue_id"));
    const json_t *arrival = json_object_get(o, "arrival_time");
    struct queued m = {.queue = q, .arrival_s = json_integer_value(arrival)};
    int result = 0;

    m.is_on_hold = queue != NULL && strcmp(queue, "hold") == 0;
    if (queue == NULL || id == NULL || !json_is_integer(arrival))
        result = err_set(err, EX_UNAVAILABLE, "unexpected output of %s -j: \"%.*s\"",
                         q->kind == HOLD_QUEUE_POSTFIX ? "postqueue" : "tollgate-relay queue list",
                         SLICE_FMT(slice_to(line, 100)));
    else if (put(arena, out, id, m) != 0)
        result = err_set(err, EX_OSERR, "out of memory for the mail queue");
    json_decref(o);
    return result;
}

/* A message begins with its id, which flags may follow; headers, reasons and recipients begin
 * otherwise. */
static int take_mailq_line(const struct hold_queue *q, struct slice line, bool quarantined,
                           struct arena *arena, struct strmap *out, struct err *err)
{
    const struct queued m = {.queue = q, .is_on_hold = quarantined};
    struct slice id;
    size_t len = 0;

    while (len < line.len && isalnum((unsigned char)line.ptr[len]))
        len++;
    if (len == 0 || len == line.len || strchr(" *-X!+", line.ptr[len]) == NULL)
        return 0;
    id = arena_copy(arena, slice_to(line, len));
    if (id.ptr == NULL || put(arena, out, id.ptr, m) != 0)
        return err_set(err, EX_OSERR, "out of memory for the mail queue");
    return 0;
}

static int read_sendmail(const struct hold_queue *q, bool quarantined, struct arena *arena,
                         struct strmap *out, struct err *err)
{
    struct slice rest, line;
    struct buf list;
    int result;

    buf_init(&list, OUTPUT_BYTES);
    result = run_mailq(quarantined, &list, err);
    rest = buf_slice(&list);
    while (result == 0 && slice_cut(&rest, '\n', &line))
        result = take_mailq_line(q, line, quarantined, arena, out, err);
    buf_fini(&list);
    return result;
}

static int read_json(const struct hold_queue *q, struct arena *arena, struct strmap *out,
                     struct err *err)
{
    struct slice rest, line;
    struct buf list;
    int result;

    buf_init(&list, OUTPUT_BYTES);
    result = q->kind == HOLD_QUEUE_POSTFIX
                 ? run_postfix(q, "postqueue", "-j", NULL, LIST_MS, &list, err)
                 : run_relay(q, "list", "-j", LIST_MS, &list, err);
    rest = buf_slice(&list);
    while (result == 0 && slice_cut(&rest, '\n', &line)) {
        if (slice_trim(line).len > 0)
            result = take_line(q, line, arena, out, err);
    }
    buf_fini(&list);
    return result;
}

static int read_one(const struct hold_queue *q, struct arena *arena, struct strmap *out,
                    struct err *err)
{
    if (q->kind != HOLD_QUEUE_SENDMAIL)
        return read_json(q, arena, out, err);
    return read_sendmail(q, true, arena, out, err) == 0 ? read_sendmail(q, false, arena, out, err)
                                                        : -1;
}

int hold_queue_read_all(struct hold_queues *q, struct arena *arena, struct strmap *out,
                        struct err *err)
{
    for (size_t i = 0; i < q->count; i++) {
        struct hold_queue *one = &q->list[i];

        one->problem.code = 0;
        if (read_one(one, arena, out, &one->problem) != 0 && one->problem.code == EX_OSERR)
            return err_set(err, EX_OSERR, "%s", one->problem.text);
    }
    return 0;
}

/* --- releasing ------------------------------------------------------------------------------- */

/* postsuper moves it to the deferred queue, which Postfix scans every few minutes only. postqueue
 * -i schedules it at once; where that fails, the next scan does. */
static int postfix_release(const struct hold_queue *q, const char *id, struct buf *out,
                           struct err *err)
{
    struct err ignored = {0};

    if (run_postfix(q, "postsuper", "-H", id, RELEASE_MS, out, err) != 0)
        return -1;
    (void)run_postfix(q, "postqueue", "-i", id, RELEASE_MS, out, &ignored);
    return 0;
}

/* Without a reason -Q ends the quarantine; Sendmail's next run of the queue delivers it. */
static int sendmail_release(const char *id, struct buf *out, struct err *err)
{
    char match[128];
    const char *const argv[] = {"sendmail", "-Q", "-qQ", match, NULL};

    (void)snprintf(match, sizeof match, "-qI%s", id);
    return run(argv, "-Q", RELEASE_MS, out, err);
}

int hold_queue_release(const struct hold_queue *q, const char *id, struct err *err)
{
    struct buf out;
    int result;

    buf_init(&out, ERROR_BYTES);
    if (q->kind == HOLD_QUEUE_POSTFIX)
        result = postfix_release(q, id, &out, err);
    else if (q->kind == HOLD_QUEUE_SENDMAIL)
        result = sendmail_release(id, &out, err);
    else
        result = run_relay(q, "release", id, RELEASE_MS, &out, err);
    buf_fini(&out);
    return result;
}
