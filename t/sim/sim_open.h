#ifndef TG_T_SIM_SIM_OPEN_H
#define TG_T_SIM_SIM_OPEN_H

#include <sys/types.h>

#include "t/sim/sim_image.h"

/* What stands behind a descriptor. It is asked of the kernel once, for such calls are what a seed
 * costs; so are locks, which no process refuses itself. */

#define SIM_PATH_ROOM 256

struct sim_open {
    char path[SIM_PATH_ROOM];
    ino_t inode;
    struct sim_image *image; /* NULL: a file of the kernel */
};

/* NULL: no file by a path, or one that is mapped: such a file is memory, a process sees in it what
 * it has written. Good until the next call. */
const struct sim_open *sim_open_of(int fd);

/* t/sim/sim_disk.c: a file is about to be made. */
void sim_open_made(const char *path);

/* The call of libc that ours stands before. */
void *sim_real(const char *name);

#endif
