#include "web/api_body.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "lib/core/utf8.h"

static bool is_known(const char *name, const char *const *names)
{
    while (*names != NULL && !slice_equal(slice_str(*names), slice_str(name)))
        names++;
    return *names != NULL;
}

/* The value as text; false where it is of another type. */
static bool take_value(const json_t *value, struct arena *arena, struct api_member *out)
{
    char number[24];

    out->is_bool = json_is_boolean(value);
    if (json_is_string(value)) {
        out->value =
            arena_copy(arena, (struct slice){json_string_value(value), json_string_length(value)});
    } else if (json_is_integer(value)) {
        (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        out->value = arena_copy(arena, slice_str(number));
    } else if (out->is_bool) {
        out->value = json_is_true(value) ? SLICE("true") : SLICE("false");
    } else {
        return false;
    }
    return out->value.ptr != NULL && utf8_is_text(out->value);
}

static int add(const char *name, const json_t *value, const char *const *names, struct arena *arena,
               struct api_body *out, struct err *err)
{
    struct api_member *m = &out->items[out->count];

    if (!is_known(name, names))
        return err_set(err, EX_USAGE, "%.64s: unknown member: remove it", name);
    if (json_is_null(value))
        return 0;
    m->name = arena_copy(arena, slice_str(name));
    if (out->count == API_BODY_MAX || !take_value(value, arena, m) || m->name.ptr == NULL)
        return err_set(err, EX_USAGE,
                       "%.64s: use a text without controls, a whole number, true or false", name);
    out->count++;
    return 0;
}

int api_body_parse(struct slice text, const char *const *names, struct arena *arena,
                   struct api_body *out, struct err *err)
{
    json_error_t why;
    json_t *object =
               json_loadb(text.len > 0 ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &why),
           *value;
    const char *name;
    int result = 0;

    *out = (struct api_body){.count = 0};
    if (!json_is_object(object))
        result = err_set(err, EX_USAGE, "the body is no JSON object%s%.100s: send one",
                         object == NULL ? ": " : "", object == NULL ? why.text : "");
    else
        json_object_foreach(object, name, value)
        {
            if (result == 0)
                result = add(name, value, names, arena, out, err);
        }
    json_decref(object);
    return result;
}

struct slice api_body_get(const struct api_body *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (slice_equal(b->items[i].name, slice_str(name)))
            return b->items[i].value;
    }
    return SLICE_NONE;
}

int api_body_flag(const struct api_body *b, const char *name, struct err *err)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct api_member *m = &b->items[i];

        if (!slice_equal(m->name, slice_str(name)))
            continue;
        if (!m->is_bool) {
            (void)err_set(err, EX_USAGE, "%s: use true or false", name);
            return -2;
        }
        return slice_equal(m->value, SLICE("true"));
    }
    return -1;
}
