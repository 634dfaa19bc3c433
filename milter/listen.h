#ifndef TG_MILTER_LISTEN_H
#define TG_MILTER_LISTEN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * The Unix socket that MTAs connect to, as a file: it is made under a temporary name, gets its
 * owner and mode there, and is renamed into place. So it never appears with wrong permissions,
 * replaces a dead one without a gap, and libmilter, which unlinks its socket by name when it stops,
 * finds nothing under that name.
 */

struct listen_socket {
    char path[108], made[108]; /* as configured; the name it is made under */
    dev_t device;              /* what it is once it is in place */
    ino_t inode;
};

/* Is the directory of that socket there? */
bool listen_has_directory(const char *path) TG_NONNULL(1);
/* May another than root change names in the directory of that socket? Root works there with the
 * account's rights only. */
bool listen_is_shared(const char *path) TG_NONNULL(1);
/* Sets both names. An error if another process serves `path` (EX_TEMPFAIL), or if it is not a
 * socket. */
int listen_prepare(struct listen_socket *l, const char *path, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* Sets owner, group and mode of l->made and renames it. owner -1, group "": unchanged. */
int listen_place(struct listen_socket *l, unsigned mode, int owner, const char *group,
                 struct err *err) TG_MUST_USE TG_NONNULL(1);
/* The socket at `path` is ours already: a predecessor made it. False: there is none. */
bool listen_adopt(struct listen_socket *l, const char *path) TG_MUST_USE TG_NONNULL(1, 2);
/* Connects to it and closes the connection: wakes a thread that waits for connections. */
void listen_poke(const struct listen_socket *l) TG_NONNULL(1);
void listen_remove(const struct listen_socket *l)
    TG_NONNULL(1); /* if it is still the one that was placed */
/* What errno says of socket(2), bind(2) or listen(2), with the fix: EX_TEMPFAIL, EX_CANTCREAT. */
int listen_failed(const char *where, struct err *err) TG_NONNULL(1, 2);

#endif
