#include "lib/sys/adjustment.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/json.h"

#define AMOUNT_LIMIT (INT64_C(1) << 53)

void adjustment_field(const struct adjustment *a, struct buf *out)
{
    buf_add(out, a->period);
    buf_add_char(out, ' ');
    buf_add(out, a->id);
}

static json_t *amounts_json(const struct adjustment *a)
{
    json_t *amounts = json_object();

    for (size_t i = 0; i < COUNTER_COUNT && amounts != NULL; i++) {
        if (a->amounts[i] == 0)
            continue;
        if (json_object_set_new(amounts, counter_table[i].name, json_integer(a->amounts[i])) != 0) {
            json_decref(amounts);
            amounts = NULL;
        }
    }
    return amounts;
}

int adjustment_print(const struct adjustment *a, struct buf *out, struct err *err)
{
    json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:I}", "amounts", amounts_json(a), "reason",
                               json_text(a->reason), "evidence", json_text(a->evidence), "by",
                               json_text(a->by), "at", (json_int_t)a->at_s);
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

    if (text != NULL)
        buf_add_str(out, text);
    free(text);
    json_decref(object);
    return text == NULL || out->failed ? err_set(err, EX_OSERR, "out of memory") : 0;
}

static struct slice text_of(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? arena_copy(arena, slice_str(text)) : SLICE_NONE;
}

static int amounts_parse(const json_t *amounts, struct adjustment *out)
{
    const char *name;
    const json_t *value;

    if (!json_is_object(amounts))
        return -1;
    json_object_foreach((json_t *)(uintptr_t)amounts, name, value)
    {
        json_int_t amount = json_integer_value(value);
        int id = counter_find(slice_str(name));

        if (!json_is_integer(value) || amount >= AMOUNT_LIMIT || amount <= -AMOUNT_LIMIT)
            return -1;
        if (id >= 0)
            out->amounts[id] = amount;
    }
    return 0;
}

int adjustment_parse(struct slice field, struct slice value, struct arena *arena,
                     struct adjustment *out, struct err *err)
{
    json_t *object = json_loadb(value.len > 0 ? value.ptr : "", value.len, 0, NULL);
    ptrdiff_t blank = slice_find(field, ' ');
    int result;

    *out = (struct adjustment){.at_s = 0};
    result = blank > 0 && json_is_integer(json_object_get(object, "at"))
                 ? amounts_parse(json_object_get(object, "amounts"), out)
                 : -1;
    if (result == 0) {
        out->period = arena_copy(arena, slice_to(field, (size_t)blank));
        out->id = arena_copy(arena, slice_from(field, (size_t)blank + 1));
        out->reason = text_of(object, "reason", arena);
        out->evidence = text_of(object, "evidence", arena);
        out->by = text_of(object, "by", arena);
        out->at_s = json_integer_value(json_object_get(object, "at"));
    }
    json_decref(object);
    if (result == 0)
        return 0;
    return err_set(err, EX_DATAERR, "\"%.*s\" is no adjustment", SLICE_FMT(field));
}
