#include "cli/release_asked.h"

#include "cli/cli.h"
#include "cli/control.h"
#include "lib/sys/json.h"

static void take(const json_t *list, struct arena *arena, struct release_asked *a)
{
    size_t count = json_array_size(list);

    a->list.items = arena_array(arena, count + 1, sizeof *a->list.items);
    for (size_t i = 0; i < count && a->list.items != NULL; i++) {
        const json_t *o = json_array_get(list, i);
        const char *id = json_string_value(json_object_get(o, "id")),
                   *account = json_string_value(json_object_get(o, "account"));

        if (id == NULL || account == NULL)
            continue;
        a->list.items[a->list.count++] =
            (struct release_request){.queue_id = arena_copy(arena, slice_str(id)),
                                     .account = arena_copy(arena, slice_str(account)),
                                     .held_s = json_integer_value(json_object_get(o, "held"))};
    }
}

void release_asked_read(const char *state_dir, struct arena *arena, struct release_asked *a)
{
    struct err ignored = {0};
    json_t *answer = control_ask(state_dir, json_pack("{s:s}", "cmd", "asked"), NULL, &ignored);

    *a = (struct release_asked){.state_dir = state_dir};
    take(json_object_get(answer, "asked"), arena, a);
    json_decref(answer);
}

void release_asked_done(const struct release_asked *a, const struct release_request *r,
                        bool is_released)
{
    struct err err = {0};
    json_t *request = json_pack("{s:s,s:o,s:b}", "cmd", "asked_done", "id", json_text(r->queue_id),
                                "released", is_released ? 1 : 0);
    json_t *answer = control_ask(a->state_dir, request, NULL, &err);

    /* It is looked at again in the next run, and is then held no longer. */
    if (answer == NULL)
        (void)cli_fail(&err);
    json_decref(answer);
}
