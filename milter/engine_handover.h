#ifndef TG_MILTER_ENGINE_HANDOVER_H
#define TG_MILTER_ENGINE_HANDOVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/milter_server.h"
#include "lib/sys/mutex.h"
#include "lib/sys/systemd.h"
#include "milter/dispatch.h"

/*
 * A restart that no MTA notices: the supervisor (systemd, FileDescriptorStoreMax=) keeps the
 * listening socket all the time and, from the stop to the next start, the sessions that are between
 * messages, with a note of what each has agreed on. An MTA that sends MAIL meanwhile waits for its
 * answer, a new one in the queue of the listening socket.
 *
 * A session is known again by the inode of its socket. What the next process cannot read it closes,
 * as every session that has no note: its MTA defers what follows.
 *
 * Owner: descriptors given are its own.  Threads: any loop may give; the rest one thread.
 */

MUTEX_NAME(engine_handover_lock)

struct engine_handover {
    struct mutex lock;
    struct buf notes MUTEX_GUARDS(engine_handover_lock);
    int *fds MUTEX_GUARDS(engine_handover_lock);
    size_t count MUTEX_GUARDS(engine_handover_lock), room MUTEX_GUARDS(engine_handover_lock);
};

void engine_handover_init(struct engine_handover *h) TG_NONNULL(1);
/* A session that is between messages (NULL: it has not begun), with what was read of it and not
 * taken. False: it cannot be handed over; the descriptor stays the caller's. */
bool engine_handover_give(struct engine_handover *h, int fd, const struct milter_server *s,
                          const struct dispatch_connection *session, struct slice held) TG_MUST_USE
    TG_NONNULL(1, 3) TG_EXCLUDES(engine_handover_lock);
/* Tells the supervisor of all that were given, closes them here, and waits at most `wait_ms` until
 * it has them. How many went over. */
size_t engine_handover_send(struct engine_handover *h, int wait_ms) TG_NONNULL(1)
    TG_EXCLUDES(engine_handover_lock);

/* What this process was started with. */
struct engine_heritage {
    struct systemd_fds fds;
    struct buf notes;
    int at;
};
/* The listening socket is *listener, or -1. */
void engine_heritage_open(struct engine_heritage *h, int *listener) TG_NONNULL(1, 2);
/* The next one, into *s and *held, which are new: its descriptor, or -1 at the end. *session is for
 * dispatch_restore, and lives until engine_heritage_close. */
int engine_heritage_next(struct engine_heritage *h, struct milter_server *s, struct buf *held,
                         struct slice *session) TG_NONNULL(1, 2, 3, 4);
/* Closes what was not taken; the supervisor forgets the sessions. */
void engine_heritage_close(struct engine_heritage *h) TG_NONNULL(1);

/* The supervisor keeps it from now on, if there is one; or does not any more. */
void engine_handover_keep_listener(int fd);
void engine_handover_drop_listener(void);
/* Of an engine that takes nothing over. */
void engine_heritage_refuse(void);

#endif
