#ifndef TG_COLLECT_OPEN_H
#define TG_COLLECT_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * What is open: sessions that have begun and not ended, messages that are in the queue. The
 * machines keep it here, each kind with a struct of its own behind an entry; with each fold what
 * changed goes into collect.db, in the transaction that moves the position in the log, and comes
 * back from there after a start.
 *
 * Keys are unique in a kind: "SOURCE INSTANCE/SERVICE PID", a queue id with its instance, a session
 * id.
 *
 * Owner: the book owns entries, keys and things (freed by the kind's `release`).  Threads: one.
 * Limits: entries of a kind are kept in the order of their last touch, so that a machine can close
 * or give up the oldest.
 */

/* The numbers are stored. */
enum open_kind {
    OPEN_SMTPD,      /* smtpd sessions */
    OPEN_POSTSCREEN, /* postscreen's */
    OPEN_SMTP_OUT,   /* deliveries under way, by process */
    OPEN_MAIL,       /* messages in the queue */
    OPEN_DOVECOT,    /* POP and IMAP sessions */
    OPEN_SENDMAIL,
    OPEN_FILTER,    /* spamd, clamd and their like */
    OPEN_COLLECTOR, /* what the collector itself has to remember */
    OPEN_ACTIVITY,  /* who is active, and how much he usually is */
    OPEN_GONE,      /* messages that left the queue just now: some lines about them come late */
    OPEN_NOTE       /* numbers that machines have to remember (collect/mail_note.h) */
};
#define OPEN_KINDS (OPEN_NOTE + 1)

/* What the book must know of a kind's things. */
struct open_thing {
    void (*encode)(const void *thing, struct buf *out);
    void *(*decode)(struct slice bytes); /* NULL: damaged, of another version, or out of memory */
    void (*release)(void *thing);
};

struct open_entry {
    struct open_entry *next_in_slot, *older, *newer, *next_changed;
    enum open_kind kind;
    bool is_changed, is_gone; /* since the last open_saved */
    uint64_t hash;
    int64_t touched_ms; /* log time */
    struct slice key;
    void *thing;
};

struct open_book;

void open_free(struct open_book *b);                     /* NULL is allowed */
struct open_book *open_new(void) TG_FREED_BY(open_free); /* NULL: out of memory */
void open_type(struct open_book *b, enum open_kind kind, const struct open_thing *type)
    TG_NONNULL(1, 3);

/* The thing with that key, or NULL. */
void *open_find(const struct open_book *b, enum open_kind kind, struct slice key) TG_NONNULL(1);
struct open_entry *open_entry(const struct open_book *b, enum open_kind kind, struct slice key)
    TG_NONNULL(1);
/* A new entry (its key copied), touched; a thing that was there under that key is released. NULL:
 * out of memory, and `thing` is released. */
struct open_entry *open_add(struct open_book *b, enum open_kind kind, struct slice key, void *thing,
                            int64_t now_ms) TG_MUST_USE TG_NONNULL(1, 4);
/* The thing has changed: it becomes the newest of its kind and will be saved. */
void open_touch(struct open_book *b, struct open_entry *e, int64_t now_ms) TG_NONNULL(1, 2);
/* It has changed and is to be saved, but keeps its age (accrued time). */
void open_changed(struct open_book *b, struct open_entry *e) TG_NONNULL(1, 2);
void open_drop(struct open_book *b, struct open_entry *e) TG_NONNULL(1, 2);

/* The entry untouched for longest, and the one after `e`; NULL at the end. */
struct open_entry *open_oldest(const struct open_book *b, enum open_kind kind) TG_NONNULL(1);
size_t open_count(const struct open_book *b, enum open_kind kind) TG_NONNULL(1);

/* --- saving: by the collector's ledger -------------------------------------------------------- */

struct open_change {
    enum open_kind kind;
    struct slice key;
    bool is_gone;
    int64_t touched_ms;
    struct slice bytes; /* the thing, encoded; live until the next call */
};
/* Steps through what changed since the last open_saved: start with *at NULL; 1, 0 at the end, -1
 * out of memory. Nothing may change in between. */
int open_change_next(struct open_book *b, struct open_entry **at,
                     struct open_change *out) TG_MUST_USE TG_NONNULL(1, 2, 3);
void open_saved(struct open_book *b) TG_NONNULL(1);
/* Brings back an entry that was saved, in the order of touched_ms. False: it cannot be read, and is
 * dropped. */
bool open_restore(struct open_book *b, const struct open_change *saved) TG_NONNULL(1, 2);

#endif
