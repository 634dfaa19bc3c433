#ifndef TG_SYS_JOURNAL_INDEX_H
#define TG_SYS_JOURNAL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * What a full segment of the journal holds, block by block, so that whoever looks for one account,
 * user or queue id need not read all of it. An index is a help and never the truth: one that is
 * missing, damaged or not of this segment is not used, and the whole segment is read.
 *
 * File: DIR/00000000000000000001.index beside the segment. Integers are big-endian.
 *
 *     "TGJX"  u32 version, u64 number of the segment, u64 its bytes, u32 blocks
 *     block   u64 offset, u64 number of its first record, u64 first and u64 last time of its
 *             records (ms), u32 flags, u32 keys, then the keys ascending, each u32
 *     u32     CRC-32C over all before
 *
 * A key is 32 bits of a hash of a kind of name and the name itself. Two names may have the same
 * key, so a block that has it need not hold the name; one that has it not does not hold it.
 *
 * Units: bytes, ms.  Size: about 5 % of the segment's.  Owner: journal_index_free.
 * Threads: none.  Errors: EX_IOERR, EX_OSERR, EX_DATAERR.
 */

/* A block ends with the record that reaches so many bytes. */
#define JOURNAL_BLOCK_BYTES ((uint64_t)256 << 10)

enum journal_key_kind { JOURNAL_KEY_ACCOUNT, JOURNAL_KEY_USER, JOURNAL_KEY_QUEUE_ID };

struct journal_block {
    uint64_t offset, bytes;
    uint64_t number;           /* of its first record */
    int64_t first_ms, last_ms; /* all its records' times lie from the one to the other */
    bool has_settled;          /* a record that lets a held message go, or forgets it */
    struct slice keys;         /* of 4 bytes each */
};

struct journal_index {
    struct journal_block *blocks; /* one after the other, from offset 0 */
    size_t count;
    struct buf bytes; /* what the keys point into */
};

uint32_t journal_key(enum journal_key_kind kind, struct slice name);
/* May the block hold a record with that key? */
bool journal_block_has(const struct journal_block *block, uint32_t key) TG_NONNULL(1);

/* Reads a whole segment that takes no more records, and writes its index. -1: it has none. */
int journal_index_build(const char *dir, uint64_t segment, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* Makes the index of the first segment from *from on that lies before record `before` and has none;
 * *from is behind it then, also where that fails. 1: made; 0: all have one. */
int journal_index_step(const char *dir, uint64_t *from, uint64_t before,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* NULL: there is none that can be used for a segment of so many bytes (no error). */
struct journal_index *journal_index_load(const char *dir, uint64_t segment,
                                         uint64_t bytes) TG_MUST_USE TG_NONNULL(1);
/* The same out of the bytes of a file. */
struct journal_index *journal_index_parse(struct slice file, uint64_t segment,
                                          uint64_t bytes) TG_MUST_USE;
void journal_index_free(struct journal_index *index); /* NULL is allowed */

/* Deletes the index of a segment that is deleted. */
void journal_index_delete(const char *dir, uint64_t segment) TG_NONNULL(1);

#endif
