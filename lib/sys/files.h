#ifndef TG_SYS_FILES_H
#define TG_SYS_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/core/buf.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Small files, whole. Errors name the file; err->code is EX_NOINPUT where it cannot be read,
 * EX_CANTCREAT where it cannot be written.  Threads: all (no shared state).
 */

/* Appends the file's bytes to *b. -1 for what is no regular file, or is larger than b->cap_bytes
 * leaves room for. */
int file_read(const char *path, struct buf *b, struct err *err);

#endif
