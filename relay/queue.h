#ifndef TG_RELAY_QUEUE_H
#define TG_RELAY_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "relay/envelope.h"
#include "relay/message.h"

/*
 * The queue on disk: one file a message (relay/envelope.h says what is in it), in DIR/mail or,
 * while held, in DIR/hold; DIR/tmp has what is not complete yet and is emptied at start. A message
 * is written, forced to the disk and then renamed into its place, so that what is in mail and hold
 * is whole.
 *
 * Who opens the queue for writing holds DIR/lock for life: one daemon (or one command while there
 * is none).
 *
 * Threads: all functions on one struct queue from any; one thread at a time a message.
 * Errors: EX_IOERR, EX_CANTCREAT; EX_TEMPFAIL where another has the lock.
 */

#define QUEUE_ID_BYTES 32

struct queue {
    char dir[512];
    int lock_fd; /* -1: read only */
};

/* DIR is there; waits at most `wait_ms` for another to give it up. */
int queue_open(struct queue *q, const char *dir, int64_t wait_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* To look only; no lock. */
int queue_open_readonly(struct queue *q, const char *dir, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
void queue_close(struct queue *q);

/* Directory for spools. */
const char *queue_tmp(const struct queue *q, struct buf *b) TG_NONNULL(1);

/* A new id: letters and digits, in the order of time, never given twice. */
void queue_new_id(char id[QUEUE_ID_BYTES]);

/* Writes the message durably; e->text_bytes is filled in. `received` is our own header field with
 * its CRLF (may be empty). `held`: into hold. */
int queue_put(struct queue *q, struct envelope *e, struct slice received, struct message *m,
              bool held, struct err *err) TG_MUST_USE TG_NONNULL(1);

struct queue_file {
    int fd; /* -1: closed */
    struct arena arena;
    struct envelope envelope;
    uint64_t text_at;  /* where the message begins; it has envelope.text_bytes */
    uint64_t whole_at; /* where the next journal line goes: behind the last whole one */
    bool is_held;
};

/* With its journal replayed. err->code is EX_NOINPUT where there is no such message. */
int queue_load(struct queue *q, struct slice id, struct queue_file *out,
               struct err *err) TG_MUST_USE TG_NONNULL(1);
void queue_unload(struct queue_file *f) TG_NONNULL(1);
/* Appends journal lines, durably. The envelope is not touched. */
int queue_note(struct queue_file *f, struct slice lines, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Bytes of the message; 0 at its end, -1 on an error. */
ssize_t queue_read(const struct queue_file *f, uint64_t offset, char *into, size_t room)
    TG_NONNULL(1);

int queue_remove(struct queue *q, struct slice id, struct err *err) TG_MUST_USE TG_NONNULL(1);
int queue_hold(struct queue *q, struct slice id, bool hold, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* Calls `each` for every message, in the order of their ids; ends where it returns non-zero, and
 * returns that. */
int queue_each(struct queue *q, int (*each)(void *user, struct slice id, bool held), void *user,
               struct err *err) TG_MUST_USE TG_NONNULL(1);

/* May be a queue id at all (so that none can name a path). */
bool queue_id_is_valid(struct slice id);

#endif
