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
 * Small files, whole. Errors name the file; err->code is EX_NOINPUT where it cannot be read,
 * EX_CANTCREAT where it cannot be written.  Threads: all (no shared state).
 */

/* Appends the file's bytes to *b. -1 for what is no regular file, or is larger than b->cap_bytes
 * leaves room for. */
int file_read(const char *path, struct buf *b, struct err *err) TG_MUST_USE;

/* All of the bytes, however many writes it takes. False with errno. */
bool file_write_fd(int fd, struct slice bytes);
/* Names that were made or changed in the directory are on the disk then. False with errno. */
bool file_sync_dir(const char *path);

/* Puts a file of those bytes in place of the one there is, at once and for good: written under
 * another name (PATH.new), synced, renamed. The mode is that of a new file, without regard to the
 * umask. */
int file_write(const char *path, struct slice bytes, mode_t mode, struct err *err) TG_MUST_USE;

/* Makes the directory, with the parents that are missing (mode 0755), and gives what it makes to
 * that user and group ((uid_t)-1, (gid_t)-1: to nobody else). One that is there stays as it is. */
int file_make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err) TG_MUST_USE;

/* The sizes of the regular files in a directory together; 0 for one that cannot be read. */
uint64_t file_dir_bytes(const char *path);

#endif
