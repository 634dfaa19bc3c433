#ifndef TG_SYS_JOURNAL_H
#define TG_SYS_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/err.h"
#include "lib/core/record.h"

/*
 * The journal: the append-only file, in segments, that every message let through is written to before the MTA gets its
 * answer. A record is length, CRC-32C, number, time and body. A torn tail is cut when the journal is opened;
 * damage elsewhere is an error that names file and offset.
 *
 * Besides, the in-flight table: a small shared mapping (state_dir/inflight) with one slot for each session that is
 * at its end of message. It costs no system call, and outlives a kill: what stands in it after a crash are
 * the messages of which nobody can say whether the MTA heard the answer.
 *
 * Threads: journal_append from any; one reader (struct journal_reader) in another thread.
 */

struct journal; /* the writing side */

struct journal_config {
    const char *dir;          /* made if missing, mode 0700 */
    uint64_t segment_bytes;   /* a new segment from this size on */
    int64_t min_free_bytes;
    int sync;                 /* enum ledger_sync */
    int64_t sync_ms;
};

/* A place in the journal: everything before it has been read. */
struct journal_position {
    uint64_t segment;  /* number of the segment's first record */
    uint64_t offset;   /* bytes into it */
    uint64_t number;   /* of the next record */
};

struct journal *journal_open(const struct journal_config *config, struct err *err);
void journal_close(struct journal *j);

/* Gives the record its number and time and writes it with one write(2). `slot` (from journal_slot_take, or -1) holds
 * its number from before the write until journal_slot_clear. With sync "always" returns after fdatasync (by group).
 * -1: nothing was written (disk full, below min_free, I/O error). */
int journal_append(struct journal *j, struct record *r, int slot, struct err *err);

/* Once a second or so from a background thread: syncs if due, looks at the free space. */
void journal_tick(struct journal *j, int64_t now_ms);
/* Unix time in ms before which no further record will be dated (for counted_through), and the number after the last. */
int64_t journal_now(struct journal *j, uint64_t *next_number);

/* In-flight slots, one a session. -1: none free (the session then goes without). */
int journal_slot_take(struct journal *j);
void journal_slot_clear(struct journal *j, int slot);   /* the MTA has heard: its next event came */
void journal_slot_release(struct journal *j, int slot); /* clears, and gives the slot back */
/* After opening: the numbers that a crash left in the table. Returns how many (at most max); they stay until
 * journal_doubtful_forget. */
size_t journal_doubtful(struct journal *j, uint64_t *numbers, size_t max);
void journal_doubtful_forget(struct journal *j);

/* The reading side: tails the segments from a position. */
struct journal_reader;
struct journal_reader *journal_reader_open(const char *dir, struct journal_position from, struct err *err);
void journal_reader_close(struct journal_reader *r);
/* 1: a record (its slices live until the next call), 0: none further yet, -1: damage, *err says where. */
int journal_reader_next(struct journal_reader *r, struct record *out, struct err *err);
struct journal_position journal_reader_position(const struct journal_reader *r);

/* Deletes the segments that lie wholly before the position. */
int journal_trim(const char *dir, struct journal_position before, struct err *err);

#endif
