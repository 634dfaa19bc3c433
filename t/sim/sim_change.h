#ifndef TG_T_SIM_SIM_CHANGE_H
#define TG_T_SIM_SIM_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "t/random.h"
#include "t/sim/sim_open.h"

/*
 * What of a file is on a simulated disk: its bytes as they were at the last sync, and the changes
 * since then, of which a loss of power leaves some.
 *
 * Owner: a sim_file that is zeroed has nothing; sim_file_drop frees what it has got since.
 * Threads: one.
 */

struct sim_file {
    char path[SIM_PATH_ROOM];
    struct sim_image *image; /* held; NULL: a file of the kernel */
    ino_t inode;
    char *synced; /* what was on the disk at the last sync; NULL: to be read from the file */
    size_t synced_len, synced_room;
    bool is_named; /* on the disk */
    struct sim_change *first, **last;
};

void sim_file_init(struct sim_file *f, const struct sim_open *o);
/* As the file is, it is on the disk. */
void sim_file_drop(struct sim_file *f);
void sim_file_fini(struct sim_file *f);
/* Before each change. fd: -1 for an image. */
void sim_file_keep(struct sim_file *f, int fd);
void sim_file_write(struct sim_file *f, off_t offset, const void *bytes, size_t len);
void sim_file_cut(struct sim_file *f, size_t len);
void sim_file_sync(struct sim_file *f);
/* Power is lost. */
void sim_file_lose(struct sim_file *f, struct random_source *random);

#endif
