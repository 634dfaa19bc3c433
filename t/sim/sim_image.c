#include "t/sim/sim_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 600

static struct sim_image *images;

struct sim_image *sim_image_find(const char *path)
{
    struct sim_image *i = images;

    while (i != NULL && strcmp(i->path, path) != 0)
        i = i->next;
    return i;
}

struct sim_image *sim_image_make(const char *path)
{
    struct sim_image *i = calloc(1, sizeof *i);

    if (i == NULL || (i->path = strdup(path)) == NULL)
        abort();
    i->held = 1;
    i->next = images;
    images = i;
    return i;
}

void sim_image_hold(struct sim_image *i)
{
    i->held++;
}

void sim_image_release(struct sim_image *i)
{
    if (i == NULL || --i->held > 0)
        return;
    free(i->path);
    free(i->bytes);
    free(i);
}

void sim_image_unlink(struct sim_image *i)
{
    struct sim_image **at = &images;

    while (*at != i)
        at = &(*at)->next;
    *at = i->next;
    i->path[0] = '\0';
    sim_image_release(i);
}

void sim_image_resize(struct sim_image *i, size_t len)
{
    if (len > i->room) {
        i->room = 2 * len;
        i->bytes = realloc(i->bytes, i->room);
        if (i->bytes == NULL)
            abort();
    }
    if (len > i->len)
        memset(i->bytes + i->len, 0, len - i->len);
    i->len = len;
}

void sim_image_write(struct sim_image *i, size_t at, const void *bytes, size_t len)
{
    if (at + len > i->len)
        sim_image_resize(i, at + len);
    if (len > 0)
        memcpy(i->bytes + at, bytes, len);
}

/* The name in the directory, NULL where it is in another. */
static const char *name_in(const struct sim_image *i, const char *dir)
{
    size_t len = strlen(dir);
    const char *name = i->path + len + 1;

    if (strncmp(i->path, dir, len) != 0 || i->path[len] != '/')
        return NULL;
    return strchr(name, '/') == NULL ? name : NULL;
}

void sim_images_copy(const char *from, const char *to)
{
    char path[PATH_ROOM];

    for (struct sim_image *i = images; i != NULL; i = i->next) {
        const char *name = name_in(i, from);
        struct sim_image *copy;

        if (name == NULL)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", to, name);
        copy = sim_image_find(path);
        if (copy == NULL)
            copy = sim_image_make(path);
        sim_image_resize(copy, 0);
        sim_image_write(copy, 0, i->bytes, i->len);
    }
}

void sim_images_remove(const char *dir)
{
    struct sim_image *next;

    for (struct sim_image *i = images; i != NULL; i = next) {
        next = i->next;
        if (name_in(i, dir) != NULL)
            sim_image_unlink(i);
    }
}

static void image_save(const struct sim_image *i)
{
    FILE *out = fopen(i->path, "we");

    if (out == NULL || fwrite(i->bytes, 1, i->len, out) != i->len || fclose(out) != 0)
        abort();
}

void sim_images_end(const char *base, bool is_written)
{
    struct sim_image *next;

    for (struct sim_image *i = images; i != NULL; i = next) {
        next = i->next;
        if (strncmp(i->path, base, strlen(base)) != 0)
            continue;
        if (is_written)
            image_save(i);
        sim_image_unlink(i);
    }
}
