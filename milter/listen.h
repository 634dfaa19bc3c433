#ifndef TG_MILTER_LISTEN_H
#define TG_MILTER_LISTEN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * The Unix socket that MTAs connect to, as a file: it is made under a name of our own, gets its
 * rights there, and is renamed into place. So it is never seen with wrong rights, takes the place
 * of a dead one without a gap, and whoever unlinks sockets by name (libmilter does at its end)
 * meets a name that is no more.
 */

struct listen_socket {
    char path[108], made[108]; /* as configured; the name it is made under */
    dev_t device;              /* what it is once it is in place */
    ino_t inode;
};

/* Sets both names. An error where another process answers at `path` (EX_TEMPFAIL), or where
 * something else than a socket is there. */
int listen_prepare(struct listen_socket *l, const char *path, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* Rights for what stands at l->made now, and the rename. owner -1, group "": left alone. */
int listen_place(struct listen_socket *l, unsigned mode, int owner, const char *group,
                 struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Connects to it and hangs up: wakes who waits for connections. */
void listen_poke(const struct listen_socket *l) TG_NONNULL(1);
void listen_remove(const struct listen_socket *l) TG_NONNULL(1); /* if it is still ours */

#endif
