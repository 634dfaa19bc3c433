#include "relay/queue_command.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/net.h"
#include "relay/stream.h"

#define LIST_MAX_BYTES   ((size_t)256 << 20)
#define ANSWER_MAX_BYTES 4096
#define ANSWER_MS        30000

/* --- list ------------------------------------------------------------------------------------ */

struct queue_listing {
    struct queue *queue;
    bool as_json;
    int64_t now_ms;
    struct buf *out;
    size_t count;
    uint64_t bytes;
};

static void add_age(struct buf *out, int64_t ms)
{
    int64_t s = ms / 1000;

    if (s < 120)
        buf_addf(out, "%llds", (long long)s);
    else if (s < 7200)
        buf_addf(out, "%lldmin", (long long)(s / 60));
    else if (s < 172800)
        buf_addf(out, "%lldh", (long long)(s / 3600));
    else
        buf_addf(out, "%lldd", (long long)(s / 86400));
}

/* Text from outside must not move the cursor. */
static void add_safe(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        buf_add_char(out, c < ' ' || c == 0x7f ? '?' : (char)c);
    }
}

static void add_recipients(struct buf *out, const struct envelope *e)
{
    for (size_t i = 0; i < e->recipient_count; i++) {
        const struct recipient *r = &e->recipients[i];

        if (r->state != RECIPIENT_PENDING && r->state != RECIPIENT_FAILED)
            continue;
        buf_add_str(out, "    ");
        add_safe(out, r->address);
        if (r->text.len > 0) {
            buf_add_str(out, "  (");
            add_safe(out, r->text);
            buf_add_char(out, ')');
        }
        buf_add_char(out, '\n');
    }
}

static json_t *text_json(struct slice text)
{
    json_t *value = json_stringn(text.ptr != NULL ? text.ptr : "", text.len);

    return value != NULL ? value : json_string("(not UTF-8)");
}

static json_t *recipients_json(const struct envelope *e)
{
    json_t *list = json_array();

    for (size_t i = 0; i < e->recipient_count; i++) {
        const struct recipient *r = &e->recipients[i];
        json_t *one;

        if (r->state != RECIPIENT_PENDING && r->state != RECIPIENT_FAILED)
            continue;
        one = json_pack("{s:o}", "address", text_json(r->address));
        if (r->text.len > 0)
            (void)json_object_set_new(one, "delay_reason", text_json(r->text));
        (void)json_array_append_new(list, one);
    }
    return list;
}

static void add_json(struct buf *out, const struct envelope *e, bool held)
{
    json_t *o =
        json_pack("{s:s, s:o, s:I, s:I, s:o, s:o}", "queue_name", held ? "hold" : "active",
                  "queue_id", text_json(e->id), "arrival_time", (json_int_t)(e->created_ms / 1000),
                  "message_size", (json_int_t)e->text_bytes, "sender", text_json(e->sender),
                  "recipients", recipients_json(e));
    char *text = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);

    if (text != NULL)
        buf_addf(out, "%s\n", text);
    free(text);
    json_decref(o);
}

static void add_text(struct queue_listing *l, const struct envelope *e, bool held)
{
    buf_addf(l->out, "%.*s  %s  %llu bytes  age ", SLICE_FMT(e->id), held ? "held" : "queued",
             (unsigned long long)e->text_bytes);
    add_age(l->out, l->now_ms - e->created_ms);
    buf_addf(l->out, "  tries %u  from <", e->tries);
    add_safe(l->out, e->sender);
    buf_add_str(l->out, ">\n");
    add_recipients(l->out, e);
}

static int list_one(void *user, struct slice id, bool held)
{
    struct queue_listing *l = user;
    struct queue_file f;
    struct err err = {.code = 0};

    if (queue_load(l->queue, id, &f, &err) != 0) {
        if (err.code != EX_NOINPUT && !l->as_json) /* EX_NOINPUT: it has just been delivered */
            buf_addf(l->out, "%.*s  damaged: %s\n", SLICE_FMT(id), err.text);
        return 0;
    }
    if (l->as_json)
        add_json(l->out, &f.envelope, held);
    else
        add_text(l, &f.envelope, held);
    l->count++;
    l->bytes += f.envelope.text_bytes;
    queue_unload(&f);
    return 0;
}

int queue_list(struct queue *q, bool as_json, int64_t now_ms, struct buf *out, struct err *err)
{
    struct queue_listing l = {.queue = q, .as_json = as_json, .now_ms = now_ms, .out = out};

    if (queue_each(q, list_one, &l, err) != 0)
        return -1;
    if (!as_json)
        buf_addf(out, "%zu message%s, %llu bytes\n", l.count, l.count == 1 ? "" : "s",
                 (unsigned long long)l.bytes);
    return 0;
}

/* --- verbs ----------------------------------------------------------------------------------- */

struct doing {
    struct queue *queue;
    struct scheduler *scheduler;
    enum { DO_HOLD, DO_RELEASE, DO_DELETE } what;
    struct err err;
    size_t done, busy;
};

static int put_back(struct doing *d, struct slice id)
{
    if (d->scheduler != NULL)
        scheduler_add(d->scheduler, id, true);
    return -1;
}

static int do_one(struct doing *d, struct slice id)
{
    if (d->what != DO_RELEASE && d->scheduler != NULL && !scheduler_take(d->scheduler, id)) {
        d->busy++;
        return err_set(&d->err, EX_TEMPFAIL, "%.*s is being delivered: try again", SLICE_FMT(id));
    }
    if (d->what == DO_DELETE && queue_remove(d->queue, id, &d->err) != 0)
        return put_back(d, id);
    if (d->what == DO_HOLD && queue_hold(d->queue, id, true, &d->err) != 0)
        return d->err.code == EX_NOINPUT ? -1 : put_back(d, id);
    if (d->what == DO_RELEASE && queue_hold(d->queue, id, false, &d->err) != 0)
        return -1;
    if (d->what == DO_RELEASE)
        (void)put_back(d, id);
    d->done++;
    return 0;
}

static int do_each(void *user, struct slice id, bool held)
{
    struct doing *d = user;

    if ((d->what == DO_HOLD && held) || (d->what == DO_RELEASE && !held))
        return 0;
    (void)do_one(d, id);
    return 0;
}

static int flush(struct scheduler *s, struct slice id, struct buf *out)
{
    size_t n;

    if (s == NULL) {
        buf_add_str(out, "tollgate-relay does not run: all messages are tried when it starts");
        return -1;
    }
    n = scheduler_flush(s, id);
    if (n == 0 && id.len > 0) {
        buf_addf(out, "no such message is queued: %.*s", SLICE_FMT(id));
        return -1;
    }
    buf_addf(out, "%zu to be tried now", n);
    return 0;
}

static bool find_verb(struct slice verb, struct doing *d, const char **done)
{
    if (slice_equal(verb, SLICE("hold"))) {
        d->what = DO_HOLD;
        *done = "held";
    } else if (slice_equal(verb, SLICE("release"))) {
        d->what = DO_RELEASE;
        *done = "released";
    } else if (slice_equal(verb, SLICE("delete"))) {
        d->what = DO_DELETE;
        *done = "deleted";
    } else {
        return false;
    }
    return true;
}

int queue_do(struct queue *q, struct scheduler *s, struct slice verb, struct slice id,
             struct buf *out)
{
    struct doing d = {.queue = q, .scheduler = s};
    const char *done;

    if (slice_equal(verb, SLICE("flush")))
        return flush(s, id, out);
    if (!find_verb(verb, &d, &done)) {
        buf_addf(out, "unknown: %.*s", SLICE_FMT(verb));
        return -1;
    }
    if ((id.len > 0 ? do_one(&d, id) : queue_each(q, do_each, &d, &d.err)) != 0) {
        buf_add_str(out, d.err.text);
        return -1;
    }
    buf_addf(out, "%zu %s", d.done, done);
    if (d.busy > 0)
        buf_addf(out, ", %zu being delivered", d.busy);
    return 0;
}

/* --- the command ----------------------------------------------------------------------------- */

static int usage(void)
{
    (void)fputs("usage:\n" QUEUE_COMMAND_USAGE, stderr);
    return EX_USAGE;
}

static int complain(const struct err *err)
{
    (void)fprintf(stderr, "tollgate-relay: %s\n", err->text);
    return err->code;
}

static int run_list(const char *dir, bool as_json)
{
    struct queue q;
    struct buf out;
    struct err err = {.code = 0};
    int code = EX_OK;

    buf_init(&out, LIST_MAX_BYTES);
    if (queue_open_readonly(&q, dir, &err) != 0 ||
        queue_list(&q, as_json, clock_unix_ms(), &out, &err) != 0)
        code = complain(&err);
    else
        (void)fwrite(buf_slice(&out).ptr, 1, out.len, stdout);
    buf_fini(&out);
    return code;
}

/* The daemon's answer; false: no daemon runs. */
static bool ask_daemon(const char *dir, const char *verb, const char *id, struct buf *answer)
{
    int64_t deadline = clock_monotonic_ms() + ANSWER_MS;
    char where[600], line[128];
    struct stream s = {.ssl = NULL};
    ssize_t n = 1;

    (void)snprintf(where, sizeof where, "unix:%s/control", dir);
    s.fd = net_connect(where, deadline, NULL);
    if (s.fd < 0)
        return false;
    (void)snprintf(line, sizeof line, "%s %s\n", verb, id);
    if (stream_write(&s, slice_str(line), deadline) != 0)
        n = -1;
    while (n > 0 && slice_find(buf_slice(answer), '\n') < 0) {
        n = stream_read(&s, line, sizeof line, deadline);
        if (n > 0)
            buf_add(answer, (struct slice){line, (size_t)n});
    }
    stream_close(&s);
    return true;
}

static int do_alone(const char *dir, const char *verb, const char *id, struct buf *out)
{
    struct queue q;
    struct err err = {.code = 0};
    char path[600];
    int result;

    (void)snprintf(path, sizeof path, "%s/lock", dir);
    if (access(path, F_OK) != 0) /* else the wrong account might create it */
        (void)err_set(&err, EX_NOINPUT, "no queue at %s", dir);
    if (err.code != 0 || queue_open(&q, dir, 0, &err) != 0)
        return complain(&err);
    result = queue_do(&q, NULL, slice_str(verb), slice_str(id), out);
    queue_close(&q);
    (void)fprintf(result == 0 ? stdout : stderr, "%s\n", out->data);
    return result == 0 ? EX_OK : EX_UNAVAILABLE;
}

static int run_verb(const char *dir, const char *verb, const char *id)
{
    struct slice text, word;
    struct buf out;
    int code;

    buf_init(&out, ANSWER_MAX_BYTES);
    if (!ask_daemon(dir, verb, id, &out)) {
        code = do_alone(dir, verb, id, &out);
    } else {
        text = slice_trim(buf_slice(&out));
        (void)slice_cut(&text, ' ', &word);
        code = slice_equal(word, SLICE("ok")) ? EX_OK : EX_UNAVAILABLE;
        (void)fprintf(code == EX_OK ? stdout : stderr, "%.*s\n", SLICE_FMT(text));
    }
    buf_fini(&out);
    return code;
}

int queue_command(const char *queue_dir, int argc, char **argv)
{
    const char *verb = argc > 0 ? argv[0] : "", *id = argc > 1 ? argv[1] : "";
    bool is_flush = strcmp(verb, "flush") == 0;

    if (strcmp(verb, "list") == 0)
        return argc == 1 || (argc == 2 && strcmp(id, "-j") == 0) ? run_list(queue_dir, argc == 2)
                                                                 : usage();
    if (!is_flush && strcmp(verb, "hold") != 0 && strcmp(verb, "release") != 0 &&
        strcmp(verb, "delete") != 0)
        return usage();
    if (argc > 2 || (!is_flush && argc != 2))
        return usage();
    if (strcmp(id, "all") == 0)
        id = "";
    else if (id[0] != '\0' && !queue_id_is_valid(slice_str(id)))
        return usage();
    return run_verb(queue_dir, verb, id);
}
