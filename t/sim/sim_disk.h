#ifndef TG_T_SIM_SIM_DISK_H
#define TG_T_SIM_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "t/random.h"
#include "t/sim/sim_image.h"

/*
 * A disk that fails as it is told, below each of some directories: the calls of this program and of
 * SQLite that change files come here first.
 *
 * Dead: nothing reaches the disk any more, and every call seems to work, so that what runs on can
 * be closed as usual; the files are as the call found them at which it died. After a loss of power,
 * what was not synced may be gone: of a journal its end, of other files any of the writes. Names of
 * files are on the disk with the next sync of any file, as ext4 does it.
 *
 * Threads: one.
 */

enum sim_fault {
    SIM_NONE,
    SIM_KILL,       /* dies at that call */
    SIM_TORN,       /* the same, with half of what it writes */
    SIM_POWER,      /* dies at that call, and what was not synced is lost */
    SIM_FULL,       /* that write fails, and the next two */
    SIM_SYNC_FAILS, /* the next sync fails */
    SIM_FAULTS
};

struct sim_disk; /* of one directory */

struct sim_disk *sim_disk_new(const char *dir, struct random_source *random);
void sim_disk_free(struct sim_disk *d);

/* The fault is to come at the call that is `calls` after this. */
void sim_disk_plan(struct sim_disk *d, enum sim_fault fault, uint32_t calls);
bool sim_disk_is_dead(const struct sim_disk *d);
/* Dies now. */
void sim_disk_kill(struct sim_disk *d, bool power);
/* How many calls there were that a fault could have come at. */
uint32_t sim_disk_calls(const struct sim_disk *d);
/* The files were changed by others: as they are, they are on the disk. */
void sim_disk_forget(struct sim_disk *d);
/* Whether that file is on one of the disks. */
bool sim_disk_has(const char *path);

/* What happens to the files of SQLite, which are images: as the calls of the kernel are to others.
 * -1: the disk is full, or the sync fails. */
int sim_disk_image_write(struct sim_image *i, size_t at, const void *bytes, size_t len);
void sim_disk_image_cut(struct sim_image *i, size_t len);
int sim_disk_image_sync(const struct sim_image *i);
void sim_disk_image_unlink(struct sim_image *i);

/* Works again, as it was left. True: what was not synced was lost. */
bool sim_disk_revive(struct sim_disk *d);

#endif
