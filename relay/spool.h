#ifndef TG_RELAY_SPOOL_H
#define TG_RELAY_SPOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The bytes of a message that is being received: in memory at first, beyond SPOOL_MEMORY_BYTES in a
 * file without a name, so that nothing is left of it after a crash. Not durable.
 *
 * Owner: the holder; init/fini.  Errors: sticky, in `failed` (disk full, out of memory).
 */

#define SPOOL_MEMORY_BYTES ((size_t)256 << 10)

struct spool {
    const char *dir; /* borrowed */
    struct buf memory;
    int fd; /* -1: all is in memory */
    uint64_t len;
    bool failed;
};

void spool_init(struct spool *s, const char *dir) TG_NONNULL(1);
void spool_fini(struct spool *s);
void spool_reset(struct spool *s) TG_NONNULL(1); /* empty again */
void spool_add(struct spool *s, struct slice bytes) TG_NONNULL(1);
/* Reads at most `room` bytes from `offset` on; 0 at the end, -1 on an error. */
ssize_t spool_read(struct spool *s, uint64_t offset, char *into, size_t room) TG_NONNULL(1);

#endif
