#ifndef TG_SYS_FILES_H
#define TG_SYS_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Small files, whole. Errors name the file; err->code is EX_NOINPUT if it cannot be read,
 * EX_CANTCREAT if it cannot be written.  Threads: all (no shared state).
 */

/* Appends the file's bytes to *b. -1 if it is not a regular file, or larger than b->cap_bytes
 * leaves room for. */
int file_read(const char *path, struct buf *b, struct err *err) TG_MUST_USE;

/* All of the bytes, however many writes it takes. False with errno. */
bool file_write_fd(int fd, struct slice bytes);
/* Puts new and changed names of the directory on the disk. False with errno. */
bool file_sync_dir(const char *path);

/* Replaces the file atomically and durably: the bytes are written under another name (PATH.new),
 * synced and renamed. The mode applies to the new file whatever the umask. */
int file_write(const char *path, struct slice bytes, mode_t mode, struct err *err) TG_MUST_USE;

/* Makes the directory and its missing parents (mode 0755), and gives those it makes to that user
 * and group ((uid_t)-1, (gid_t)-1: no change). An existing one is left as it is.
 *
 * Root may call it for a directory of another account: a link in it that leads to what is not that
 * account's is refused, and what is made in it is that account's. */
int file_make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err) TG_MUST_USE;

/* The sizes of the regular files in a directory together; 0 for one that cannot be read. */
uint64_t file_dir_bytes(const char *path);
/* What is free on its disk, for others than root; 0 where that cannot be told. */
uint64_t file_dir_free(const char *path);

#endif
