#ifndef TG_RELAY_QUEUE_H
#define TG_RELAY_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "relay/envelope.h"

/*
 * The queue on disk: one file for each message (relay/envelope.h describes it), in DIR/mail or,
 * while held, in DIR/hold. A file is written in DIR/tmp, which is emptied at start, forced to the
 * disk and then renamed into its place (relay/queue_draft.h), so that every file in mail and hold
 * is complete. A file's name is its queue id; no file ever replaces another.
 *
 * A process that opens the queue for writing holds DIR/lock until it closes the queue: one daemon,
 * or one command while no daemon runs.
 *
 * Threads: all functions on one struct queue from any thread; one thread at a time for each
 * message. Errors: EX_IOERR, EX_CANTCREAT; EX_TEMPFAIL if another process holds the lock.
 */

#define QUEUE_ID_BYTES 32

struct queue {
    char dir[512];
    int lock_fd; /* -1: read only */
};

/* DIR must exist; waits at most `wait_ms` for another process to release the lock. */
int queue_open(struct queue *q, const char *dir, int64_t wait_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* For reading only; takes no lock. */
int queue_open_readonly(struct queue *q, const char *dir, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
void queue_close(struct queue *q);

/* A path in the queue: DIR/where/id. */
#define QUEUE_PATH_BYTES 640
void queue_path(const struct queue *q, const char *where, struct slice id, char *path)
    TG_NONNULL(1, 2, 4);
/* Forces the names in DIR/where to the disk. */
bool queue_sync(const struct queue *q, const char *where) TG_MUST_USE TG_NONNULL(1, 2);

/* The directory for spools. */
const char *queue_tmp(const struct queue *q, struct buf *b) TG_NONNULL(1);

/* A new id: letters and digits, later ones greater as long as the clock goes forward. No message in
 * the queue has it, and no later call in this process returns it again. */
void queue_new_id(const struct queue *q, char id[QUEUE_ID_BYTES]) TG_NONNULL(1, 2);

struct queue_file {
    int fd; /* -1: closed */
    struct arena arena;
    struct envelope envelope;
    uint64_t text_at;  /* offset of the message, which has envelope.text_bytes */
    uint64_t whole_at; /* offset of the next journal line: behind the last complete one */
    bool is_held;
};

/* With its journal replayed. err->code is EX_NOINPUT if there is no such message. */
int queue_load(struct queue *q, struct slice id, struct queue_file *out,
               struct err *err) TG_MUST_USE TG_NONNULL(1);
void queue_unload(struct queue_file *f) TG_NONNULL(1);
/* Reserves room on the disk for `bytes` of journal lines. -1: the disk is full. */
int queue_reserve(struct queue_file *f, uint64_t bytes, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Appends journal lines, durably. The envelope is not changed. */
int queue_note(struct queue_file *f, struct slice lines, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Bytes of the message; 0 at its end, -1 on an error. */
ssize_t queue_read(const struct queue_file *f, uint64_t offset, char *into, size_t room)
    TG_NONNULL(1);

int queue_remove(struct queue *q, struct slice id, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Moves a message into hold, or out of it. */
int queue_hold(struct queue *q, struct slice id, bool hold, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* Calls `each` for every message, in the order of their ids; stops when it returns non-zero, and
 * returns that value. */
int queue_each(struct queue *q, int (*each)(void *user, struct slice id, bool held), void *user,
               struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Whether the text has the form of a queue id, so that none can name another path. */
bool queue_id_is_valid(struct slice id);

#endif
