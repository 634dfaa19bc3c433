#ifndef TG_COLLECT_FOLLOW_SIBLINGS_H
#define TG_COLLECT_FOLLOW_SIBLINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/follow_stream.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * A log file and what rotations left of it, oldest first, the live file (at the path itself) last.
 *
 * Names are NAME.1, NAME-20261128, NAME.20261128-145428, and NAME-20261128.log of NAME.log, with or
 * without .gz, .xz, .zst, .bz2. Where all have numbers, the highest is the oldest; where all have
 * dates of one form, they are sorted by them; else by the time of the last write. Of a file and its
 * compressed form, which is being written then, only the file is listed.
 *
 * Owner: the holder; follow_siblings_fini frees.
 */

struct follow_sibling {
    char *path;
    uint64_t dev, inode, size;
    int64_t written_ns; /* mtime */
    int64_t birth_ns;   /* 0: not known */
    enum follow_packing packing;
    bool is_live;
    size_t stem_len;  /* of the path without .gz */
    size_t suffix_at; /* "20261128-145428" in the path */
    size_t suffix_len;
};

struct follow_siblings {
    struct follow_sibling *list;
    size_t count, room;
};

void follow_siblings_fini(struct follow_siblings *all) TG_NONNULL(1);
/* 1; 0 where names have just changed, as in a rotation, to be asked again in some milliseconds; -1:
 * the directory cannot be read. Without `settled`, it is listed all the same. */
int follow_siblings_list(struct follow_siblings *all, const char *path, bool settled,
                         struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* NULL: there is none. */
struct follow_sibling *follow_siblings_live(const struct follow_siblings *all) TG_NONNULL(1);
struct follow_sibling *follow_siblings_inode(const struct follow_siblings *all, uint64_t dev,
                                             uint64_t inode) TG_NONNULL(1);
/* The oldest that was written to after that time. */
struct follow_sibling *follow_siblings_after(const struct follow_siblings *all, int64_t written_ns)
    TG_NONNULL(1);
/* The one behind it; NULL is given for NULL. */
struct follow_sibling *follow_siblings_next(const struct follow_siblings *all,
                                            struct follow_sibling *of) TG_NONNULL(1);

#endif
