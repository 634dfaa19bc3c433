#ifndef TG_T_SIM_SIM_IMAGE_H
#define TG_T_SIM_SIM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The files of SQLite, in memory: system calls and the opening of databases were most of what a
 * seed cost. Each has a path below a simulated disk, where none of the kernel's files needs to be.
 *
 * Owner: who holds an image; one that is unlinked goes with the last who does.
 * Threads: one.
 */

struct sim_image {
    struct sim_image *next;
    char *path, *bytes; /* path "": unlinked */
    size_t len, room;
    unsigned held;
};

/* NULL: none of that path. */
struct sim_image *sim_image_find(const char *path);
/* Empty, and held by the directory alone. */
struct sim_image *sim_image_make(const char *path);
void sim_image_hold(struct sim_image *i);
void sim_image_release(struct sim_image *i); /* NULL is ignored */
void sim_image_unlink(struct sim_image *i);

/* What is new is zero. */
void sim_image_resize(struct sim_image *i, size_t len);
void sim_image_write(struct sim_image *i, size_t at, const void *bytes, size_t len);

/* All below a directory that is no directory of another below it. */
void sim_images_copy(const char *from, const char *to);
void sim_images_remove(const char *dir);
/* All whose paths begin so; they are written to files of these paths before, to be looked at. */
void sim_images_end(const char *base, bool is_written);

#endif
