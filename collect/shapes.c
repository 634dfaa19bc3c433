#include "collect/shapes.h"

#include <stdlib.h>
#include <string.h>

#include "collect/log_tag.h"

static struct shapes_count *place(struct shapes *s, const struct shape *shape)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->list[i].shape == shape)
            return &s->list[i];
    }
    if (s->count == SHAPES_MAX)
        return NULL;
    s->list[s->count].shape = shape;
    return &s->list[s->count++];
}

void shapes_add(struct shapes *s, const struct log_line *line, const struct shape *shape)
{
    struct shapes_count *c = shape != NULL ? place(s, shape) : NULL;

    s->lines++;
    if (c != NULL) {
        c->lines++;
    } else if (shape != NULL) {
        s->more++;
    } else {
        s->unknown++;
        s->unknown_of[line->daemon]++;
    }
}

void shapes_add_silent(struct shapes *s)
{
    s->lines++;
    s->silent++;
}

void shapes_add_formless(struct shapes *s)
{
    s->lines++;
    s->formless++;
}

static int more(const void *a, const void *b)
{
    const struct shapes_count *x = a, *y = b;

    if (x->lines != y->lines)
        return x->lines < y->lines ? 1 : -1;
    return strcmp(x->shape->name, y->shape->name);
}

void shapes_sort(struct shapes *s)
{
    qsort(s->list, s->count, sizeof s->list[0], more);
}

const char *shapes_daemon_name(enum daemon daemon)
{
    if (daemon == DAEMON_OTHER)
        return "other programs";
    return daemon == DAEMON_POSTFIX ? "other daemons of Postfix" : log_tag_name(daemon);
}
