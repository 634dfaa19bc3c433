#ifndef TG_SYS_JOURNAL_H
#define TG_SYS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/record.h"

/*
 * The journal: the append-only file, in segments, that every accepted message is written to
 * before the MTA gets its answer. A segment's file is named by the number of its first record; a
 * record is length, CRC-32C, number, time and body (lib/sys/journal_segment).
 *
 * A torn tail of the newest segment, as a power failure or a kill leaves it, is cut when the
 * journal is opened; bad bytes with good records behind them, or in another segment, are damage: an
 * error that names file and offset. A segment is synced before the next one is begun, so that no
 * loss of power tears it; with SYNC_NEVER that may be, and its torn end is closed when the journal
 * is opened (lib/sys/journal_resume).
 *
 * Besides, the in-flight table: a small shared mapping (DIR/inflight) with one slot for each
 * session that is at its end of message. It costs no system call, and outlives a kill: what stands
 * in it after a crash are the messages of which nobody can say whether the MTA heard the answer.
 *
 * Numbers go up by one, from 1, also over restarts; only journal_raise_number leaves a gap.
 * Times never go back, but where the clock is set back by more than an hour: then they follow it.
 * Units: bytes, ms, in the names.  Limits: a record of 32 MB; 16,384 slots.
 * Threads: journal_append, _check, _now and the slots from any; journal_tick, _configure and the
 * reader (struct journal_reader) from one thread each, which may be different ones. One lock, held
 * over the write(2) of a record, never over an fsync.
 * Owner: the directory belongs to one process; the caller holds a lock that says so (lock_file).
 * Errors: EX_CANTCREAT, EX_IOERR, EX_OSERR, EX_DATAERR for damage.
 */

struct journal; /* the writing side */

#define JOURNAL_SEGMENT_BYTES ((uint64_t)64 << 20)

struct journal_config {
    const char *dir;        /* made if missing, mode 0700 (its parent must be there) */
    uint64_t segment_bytes; /* a new segment from this size on; 0: JOURNAL_SEGMENT_BYTES */
    int64_t min_free_bytes; /* below this much free space nothing is appended */
    int sync;               /* enum ledger_sync */
    int64_t sync_ms;        /* for SYNC_TIMED */
};

/* A place in the journal: everything before it has been read. All 0: before the oldest record. */
struct journal_position {
    uint64_t segment; /* number of the segment's first record */
    uint64_t offset;  /* bytes into it */
    uint64_t number;  /* of the next record */
};

struct journal *journal_open(const struct journal_config *config, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
void journal_close(struct journal *j); /* syncs, unless sync is SYNC_NEVER; NULL is allowed */

/* After opening: how many bytes of a torn tail were cut off; worth a line in the log. */
uint64_t journal_cut_bytes(const struct journal *j) TG_NONNULL(1);
/* What else a loss of power took, from the end of segments that others follow. */
struct journal_lost_end {
    uint64_t segment;       /* number of the oldest of them; 0: there is none */
    uint64_t bytes;         /* of a torn record, cut off */
    uint64_t records;       /* that are gone; empty ones have their numbers */
    int64_t from_ms, to_ms; /* when those were written (Unix); 0: not known */
};
const struct journal_lost_end *journal_lost_end(const struct journal *j) TG_NONNULL(1);

/* No record will be given a number below this. For a ledger that has counted what a power failure
 * took from the journal's tail. Before the first append only. */
void journal_raise_number(struct journal *j, uint64_t next_number) TG_NONNULL(1);

/* Gives the record its number and time and writes it with one write(2). `slot` (from
 * journal_slot_take, or -1) holds its number from before the write until journal_slot_clear. With
 * SYNC_ALWAYS it returns after fdatasync, one for all who wait.
 * -1: nothing was written, nor is the slot set (disk full, below min_free, I/O error). Only where
 * fdatasync itself fails the record may yet be there: the journal then takes no more. */
int journal_append(struct journal *j, struct record *r, int slot, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* Would an append be refused, as far as is known now? 0: no. No I/O, for use at MAIL. */
int journal_check(struct journal *j, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* From a background thread, as often as sync_ms (once a second or so for the rest): syncs if due,
 * looks at the free space, forgets a failed write so that the next append tries again. `now_ms`:
 * monotonic. */
void journal_tick(struct journal *j, int64_t now_ms) TG_NONNULL(1);
/* The time in ms (Unix) before which no further record will be dated (for counted_through), and the
 * number after the last. */
int64_t journal_now(struct journal *j, uint64_t *next_number) TG_NONNULL(1);
/* After a reload: sync, sync_ms and min_free_bytes are taken over. */
void journal_configure(struct journal *j, const struct journal_config *config) TG_NONNULL(1);

/* In-flight slots, one a session. -1: none free (the session then goes without). */
int journal_slot_take(struct journal *j) TG_NONNULL(1);
void journal_slot_clear(struct journal *j, int slot)
    TG_NONNULL(1);                                      /* the MTA has heard: its next event came */
void journal_slot_release(struct journal *j, int slot); /* clears, and gives the slot back */
/* After opening: the numbers that a crash left in the table, ascending. Returns how many there are
 * (at most max are given). They stay, also over further crashes, until journal_in_doubt_forget. */
size_t journal_in_doubt(struct journal *j, uint64_t *numbers, size_t max) TG_NONNULL(1);
void journal_in_doubt_forget(struct journal *j) TG_NONNULL(1);

/* The reading side: tails the segments from a position, while they are written to or not. Opens
 * after journal_open, which cuts the torn tail. A position whose segment has been trimmed, or whose
 * tail has been lost, is found again by its number. */
struct journal_reader;
struct journal_reader *journal_reader_open(const char *dir, struct journal_position from,
                                           struct err *err) TG_MUST_USE;
void journal_reader_close(struct journal_reader *r); /* NULL is allowed */
/* 1: a record (its slices live until the next call), 0: none further yet, -1: damage, or records
 * that are gone; *err says where. After -1 the position stays. */
int journal_reader_next(struct journal_reader *r, struct record *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
struct journal_position journal_reader_position(const struct journal_reader *r) TG_NONNULL(1);

/* What is kept of the segments that lie wholly before a position, for those who ask later what was
 * accepted: the newest of them, as far as all three allow. All 0: none. */
struct journal_keep {
    int64_t since_s;         /* Unix: those written to since then */
    uint64_t max_bytes;      /* together */
    uint64_t min_free_bytes; /* only while so much is free on the disk */
};
/* Deletes the segments that lie wholly before the position and are not kept; the newest of all
 * stays always. */
int journal_trim(const char *dir, struct journal_position before, const struct journal_keep *keep,
                 struct err *err) TG_MUST_USE TG_NONNULL(1, 3);

#endif
