#include "lib/billing/bill_target.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "lib/billing/bill_http.h"
#include "lib/billing/bill_target_work.h"
#include "lib/sys/clock.h"
#include "lib/sys/files.h"
#include "lib/sys/json.h"
#include "lib/sys/program.h"
#include "lib/sys/secret.h"

#define FILE_BYTES   ((size_t)16 << 20)
#define BODY_BYTES   ((size_t)4 << 20)
#define ANSWER_BYTES ((size_t)1 << 20)
#define EVENTS       100
#define COMMAND_MS   60000
#define NOT_BILLED   SLICE("-")

static const char *const names[TARGETS] = {"command", "cloudevents", "plesk", "hostbill"};

const char *bill_target_name(enum bill_target_kind kind)
{
    return names[kind];
}

size_t bill_target_batch(const struct bill_target *t)
{
    return t->kind == TARGET_CLOUDEVENTS ? EVENTS : 1;
}

bool bill_target_asks_first(const struct bill_target *t)
{
    return t->kind == TARGET_HOSTBILL;
}

/* --- the files ------------------------------------------------------------------------------- */

static int find_where(struct bill_target *t, const struct settings *s, struct err *err)
{
    for (size_t i = 0; i < s->billing.targets.count; i++) {
        struct slice rest = slice_str(s->billing.targets.items[i]), name;

        if (slice_cut(&rest, ':', &name) && slice_equal(name, slice_str(t->name))) {
            t->where = rest.ptr;
            return 0;
        }
    }
    return err_set(err, EX_CONFIG, "billing.targets has no %s: add \"%s:%s\"", t->name, t->name,
                   t->kind == TARGET_COMMAND ? "/path/of/a/program" : "https://...");
}

/* Lines "TARGET REST" of this target go to `take`. */
typedef int take_line(struct bill_target *t, struct slice rest, struct err *err);

static int read_lines(struct bill_target *t, const char *path, take_line *take, struct err *err)
{
    struct slice rest, line, name;
    struct buf text;
    int result;

    buf_init(&text, FILE_BYTES);
    result = file_read(path, &text, err);
    rest = result == 0 ? arena_copy(&t->arena, buf_slice(&text)) : SLICE_NONE;
    while (result == 0 && slice_cut(&rest, '\n', &line)) {
        if (slice_word(&line, " \t", &name) && slice_equal(name, slice_str(t->name)))
            result = take(t, slice_trim(line), err);
    }
    if (text.data != NULL)
        secret_forget(text.data, text.len);
    buf_fini(&text);
    return result;
}

static int take_secret(struct bill_target *t, struct slice rest, struct err *err)
{
    (void)err;
    t->secret = rest;
    return 0;
}

static int take_id(struct bill_target *t, struct slice rest, struct err *err)
{
    struct slice domain, *id = arena_alloc(&t->arena, sizeof *id);
    void **place;
    bool added;

    if (id == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    if (!slice_word(&rest, " \t", &domain) || !slice_word(&rest, " \t", id))
        return 0;
    for (size_t i = 0; i < id->len && !slice_equal(*id, NOT_BILLED); i++) {
        if (memchr("0123456789", id->ptr[i], 10) == NULL)
            return err_set(err, EX_CONFIG,
                           "billing.ids_file: %.*s %.*s: expected a number, or - for nothing",
                           SLICE_FMT(domain), SLICE_FMT(*id));
    }
    place = strmap_add(&t->ids, domain, &added);
    if (place == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    *place = id;
    return 0;
}

static int check_secrets(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) != 0 || (st.st_mode & 07) == 0)
        return 0; /* reading it says what is wrong */
    return err_set(err, EX_CONFIG, "%s may be read by everybody: chmod 0640 it", path);
}

int bill_target_open(struct bill_target *t, enum bill_target_kind kind, const struct settings *s,
                     struct err *err)
{
    const char *secrets = s->billing.secrets_file, *ids = s->billing.ids_file;

    memset(t, 0, sizeof *t);
    t->kind = kind;
    t->name = names[kind];
    t->source = s->node;
    arena_init(&t->arena, 4 * FILE_BYTES);
    strmap_init(&t->ids);
    if (find_where(t, s, err) != 0)
        return -1;
    if (secrets[0] != '\0' &&
        (check_secrets(secrets, err) != 0 || read_lines(t, secrets, take_secret, err) != 0))
        return -1;
    return ids[0] != '\0' ? read_lines(t, ids, take_id, err) : 0;
}

void bill_target_close(struct bill_target *t)
{
    if (t->secret.len > 0)
        secret_forget((char *)(uintptr_t)t->secret.ptr, t->secret.len);
    strmap_fini(&t->ids);
    arena_fini(&t->arena);
}

/* --- a program ------------------------------------------------------------------------------- */

static int command_body(const struct bill *b, const struct bill_item *item, const char *action,
                        struct buf *out, struct err *err)
{
    json_t *json = bill_item_json(b, item);

    (void)json_object_set_new(json, "action", json_string(action));
    json_add(out, json, JSON_COMPACT);
    return out->failed ? err_set(err, EX_OSERR, "out of memory") : 0;
}

/* Its exit status; or -1. */
static int command_run(const struct bill_target *t, const struct bill *b,
                       const struct bill_item *item, const char *action, struct err *err)
{
    const char *const argv[] = {t->where, action, NULL};
    struct buf body, out, errors;
    int status;

    buf_init(&body, BODY_BYTES);
    buf_init(&out, ANSWER_BYTES);
    buf_init(&errors, ANSWER_BYTES);
    status = command_body(b, item, action, &body, err);
    if (status == 0)
        status = program_run(argv, buf_slice(&body), &out, &errors,
                             clock_monotonic_ms() + COMMAND_MS, err);
    if (status > 0)
        (void)err_set(err, EX_UNAVAILABLE, "%s %s %.*s ended with %d: %.*s", t->where, action,
                      SLICE_FMT(item->id), status,
                      SLICE_FMT(slice_to(slice_trim(buf_slice(&errors)), 200)));
    buf_fini(&errors);
    buf_fini(&out);
    buf_fini(&body);
    return status;
}

/* --- sending --------------------------------------------------------------------------------- */

/* What Plesk says of the first operation that it refuses; of an answer without any, the answer. */
static bool plesk_refuses(struct slice *answer)
{
    const char *error = memmem(answer->ptr, answer->len, "<status>error<", 14);

    if (error != NULL)
        *answer = slice_from(*answer, (size_t)(error - answer->ptr));
    return error != NULL || memmem(answer->ptr, answer->len, "<status>ok<", 11) == NULL;
}

static int judge(const struct bill_target *t, int status, struct slice answer, struct err *err)
{
    bool is_refused = t->kind == TARGET_PLESK && plesk_refuses(&answer);

    if (status < 0)
        return -1;
    if (status >= 200 && status < 300 && !is_refused)
        return 0;
    return err_set(err, status >= 500 ? EX_UNAVAILABLE : EX_DATAERR, "%s: HTTP status %d: %.*s",
                   t->where, status, SLICE_FMT(slice_to(slice_trim(answer), 200)));
}

static int post(const struct bill_target *t, struct slice body, struct err *err)
{
    struct bill_http http = {.url = t->where, .body = body};
    struct buf answer, header;
    int result;

    buf_init(&answer, ANSWER_BYTES);
    buf_init(&header, FILE_BYTES);
    if (t->kind == TARGET_PLESK) {
        http.headers[0] = SLICE("Content-Type: text/xml");
        buf_addf(&header, "KEY: %.*s", SLICE_FMT(t->secret));
    } else {
        http.headers[0] = SLICE("Content-Type: application/cloudevents-batch+json");
        buf_add(&header, t->secret);
    }
    if (t->secret.len > 0)
        http.headers[1] = buf_slice(&header);
    result = bill_http_post(&http, &answer, err);
    result = judge(t, result, buf_slice(&answer), err);
    if (header.data != NULL)
        secret_forget(header.data, header.len);
    buf_fini(&header);
    buf_fini(&answer);
    return result;
}

int bill_target_takes(const struct bill_target *t, const struct bill_item *item, struct err *err)
{
    struct slice id;

    if (t->kind != TARGET_PLESK && t->kind != TARGET_HOSTBILL)
        return 1;
    id = bill_target_id(t, item->account, err);
    if (id.ptr == NULL)
        return -1;
    return slice_equal(id, NOT_BILLED) ? 0 : 1;
}

int bill_target_print(const struct bill_target *t, const struct bill *b,
                      const struct bill_item *const *items, size_t count, struct buf *out,
                      struct err *err)
{
    switch (t->kind) {
    case TARGET_CLOUDEVENTS:
        return bill_target_events(t, b, items, count, out, err);
    case TARGET_PLESK:
        return bill_target_plesk(t, b, items, count, out, err);
    case TARGET_COMMAND:
    case TARGET_HOSTBILL:
    case TARGETS:
        break;
    }
    return command_body(b, items[0], "bill", out, err);
}

static int send_body(const struct bill_target *t, const struct bill *b,
                     const struct bill_item *const *items, size_t count, struct err *err)
{
    struct buf body;
    int result;

    buf_init(&body, BODY_BYTES);
    result = bill_target_print(t, b, items, count, &body, err);
    if (result == 0)
        result = post(t, buf_slice(&body), err);
    buf_fini(&body);
    return result;
}

int bill_target_send(const struct bill_target *t, const struct bill *b,
                     const struct bill_item *const *items, size_t count, struct err *err)
{
    if (t->kind == TARGET_COMMAND)
        return command_run(t, b, items[0], "bill", err) == 0 ? 0 : -1;
    return t->kind == TARGET_HOSTBILL ? bill_target_hostbill_add(t, items[0], err)
                                      : send_body(t, b, items, count, err);
}

int bill_target_ask(const struct bill_target *t, const struct bill *b, const struct bill_item *item,
                    bool *has, struct err *err)
{
    int status;

    *has = false;
    if (t->kind == TARGET_HOSTBILL)
        return bill_target_hostbill_ask(t, item, has, err);
    if (t->kind != TARGET_COMMAND)
        return 0;
    status = command_run(t, b, item, "ask", err);
    *has = status == 0;
    return status == 0 || status == 1 ? 0 : -1;
}
