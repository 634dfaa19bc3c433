#include "milter/control_asked.h"

#include <sysexits.h>

#include "lib/admin/release_request.h"
#include "lib/read/read.h"
#include "lib/sys/json.h"
#include "lib/sys/log.h"

#define ARENA_BYTES ((size_t)64 << 20)

/* A connection for one answer: they are asked for once a minute. */
struct asking {
    struct release_request_place place;
    struct release_requests list;
    struct arena arena;
};

static int asking_begin(struct asking *a, const struct settings *s, struct err *err)
{
    *a = (struct asking){.place = {.store = store_new(s, err),
                                   .prefix = s->store.prefix,
                                   .node = slice_str(s->node),
                                   .timeout_ms = READ_TIMEOUT_MS}};
    arena_init(&a->arena, ARENA_BYTES);
    return a->place.store != NULL ? release_request_list(&a->place, &a->arena, &a->list, err) : -1;
}

static void asking_end(struct asking *a)
{
    store_free(a->place.store);
    arena_fini(&a->arena);
}

json_t *control_asked_list(const struct settings *s)
{
    json_t *list = json_array();
    struct err ignored = {0};
    struct asking a;

    if (asking_begin(&a, s, &ignored) != 0)
        a.list.count = 0;
    for (size_t i = 0; i < a.list.count; i++) {
        const struct release_request *r = &a.list.items[i];

        (void)json_array_append_new(list, json_pack("{s:o,s:o,s:I}", "id", json_text(r->queue_id),
                                                    "account", json_text(r->account), "held",
                                                    (json_int_t)r->held_s));
    }
    asking_end(&a);
    return json_pack("{s:o}", "asked", list);
}

static const struct release_request *find(const struct asking *a, struct slice queue_id)
{
    for (size_t i = 0; i < a->list.count; i++) {
        if (slice_equal(a->list.items[i].queue_id, queue_id))
            return &a->list.items[i];
    }
    return NULL;
}

static int finish(struct asking *a, struct slice queue_id, const json_t *request, struct err *err)
{
    bool is_released = json_is_true(json_object_get(request, "released")), removed;
    const struct release_request *r = find(a, queue_id);

    if (r == NULL)
        return 0;
    log_event(LOG_NOTICE, is_released ? "released as asked" : "not released: held no longer",
              LOG_TEXT("by", r->by), LOG_TEXT("client", r->client), LOG_TEXT("qid", r->queue_id),
              LOG_TEXT("account", r->account), LOG_TEXT("reason", r->reason));
    return release_request_remove(&a->place, r->queue_id, &removed, err);
}

json_t *control_asked_done(const struct settings *s, const json_t *request)
{
    const char *id = json_string_value(json_object_get(request, "id"));
    struct err err = {0};
    struct asking a;
    int result = asking_begin(&a, s, &err);

    if (result == 0)
        result = id != NULL ? finish(&a, slice_str(id), request, &err)
                            : err_set(&err, EX_USAGE, "no queue id: give id");
    asking_end(&a);
    return result == 0 ? json_pack("{s:b}", "ok", 1)
                       : json_pack("{s:o}", "error", json_text(slice_str(err.text)));
}
