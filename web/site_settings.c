#include "web/site_settings.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/sources/source.h"
#include "lib/sys/log.h"

static void free_settings(struct site_settings *held)
{
    if (held == NULL)
        return;
    settings_free(held->settings);
    free(held);
}

static int parse_networks(const struct string_list *list, struct arena *arena, struct networks *out,
                          struct err *err)
{
    out->list = arena_array(arena, list->count + 1, sizeof *out->list);
    if (out->list == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < list->count; i++) {
        if (network_parse(slice_str(list->items[i]), &out->list[i], err) != 0)
            return -1;
        out->count++;
    }
    return 0;
}

/* Where Postfix cannot be asked, those of the configuration do: no page needs more. */
static void find_delimiters(struct site_settings *held)
{
    struct settings *s = held->settings;
    struct err err = {0};

    if (source_user_delimiters(s, &s->arena, &held->delimiters, &err) == 0)
        return;
    held->delimiters = slice_str(s->accounting.delimiter);
    log_event(LOG_WARNING, "accounting.delimiter is used", LOG_ERROR("error", &err));
}

const struct site_settings *site_settings_new(struct settings *s, struct err *err)
{
    struct site_settings *held = calloc(1, sizeof *held);

    if (held == NULL) {
        settings_free(s);
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    held->settings = s;
    atomic_init(&held->holders, 1);
    if (parse_networks(&s->web.trusted, &s->arena, &held->trusted, err) != 0 ||
        parse_networks(&s->web.metrics_from, &s->arena, &held->metrics_from, err) != 0) {
        free_settings(held);
        return NULL;
    }
    find_delimiters(held);
    return held;
}

const struct site_settings *site_settings_hold(const struct site_settings *held)
{
    struct site_settings *mine = (struct site_settings *)(uintptr_t)held;

    (void)atomic_fetch_add(&mine->holders, 1);
    return held;
}

void site_settings_drop(const struct site_settings *held)
{
    struct site_settings *mine = (struct site_settings *)(uintptr_t)held;

    if (atomic_fetch_sub(&mine->holders, 1) == 1)
        free_settings(mine);
}
