#ifndef TG_COLLECT_FOLLOW_STREAM_H
#define TG_COLLECT_FOLLOW_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/follow.h"
#include "collect/follow_buffer.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * The bytes of one file, compressed or not, from a place in it; and what it is known by.
 *
 * Owner: the holder; follow_stream_close frees.  Threads: one.
 * Limits: a .gz is read by zlib, .xz, .zst and .bz2 by a program, from the descriptor that was
 * opened, so that no rename can put another file in its place.
 */

#define FOLLOW_HEAD_MAX ((size_t)1024)

enum follow_packing { FOLLOW_PLAIN, FOLLOW_GZ, FOLLOW_XZ, FOLLOW_ZST, FOLLOW_BZ2, FOLLOW_PIPE };

/* By the name's end; *len is what is before it. */
enum follow_packing follow_stream_packing(const char *name, size_t *len) TG_NONNULL(1, 2);

/* A device's number, a time, as the streams have them. */
uint64_t follow_stream_dev(dev_t dev);
struct statx_timestamp;
int64_t follow_stream_time_ns(const struct statx_timestamp *t) TG_NONNULL(1);

struct follow_stream {
    bool is_open;
    enum follow_packing packing;
    int fd;      /* of the file; of FOLLOW_PIPE and after a program was started: what is read */
    void *gz;    /* gzFile */
    pid_t child; /* 0: none */
    bool is_damaged, is_damage_told;
    uint64_t dev, inode;
    int64_t birth_ns;            /* Unix; 0: not known */
    int64_t written_ns;          /* its mtime when it was opened */
    uint32_t head_len, head_crc; /* of the first bytes, as far as they were seen */
    struct follow_buffer buffer;
};

void follow_stream_close(struct follow_stream *s) TG_NONNULL(1); /* closed already: no effect */
/* At its beginning. "-" is standard input. -1 with EX_NOINPUT where there is no such file (any
 * more), EX_NOPERM where it may not be read, EX_CONFIG for a directory, EX_OSERR. */
int follow_stream_open(struct follow_stream *s, const char *path, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

/* How a file fits a position that was in it once. */
enum follow_fit {
    FOLLOW_FIT_ERROR = -1,
    FOLLOW_FIT_NONE,    /* it begins otherwise */
    FOLLOW_FIT_SHORT,   /* it begins so, and is shorter */
    FOLLOW_FIT_CHANGED, /* it begins so, and has other bytes before the place */
    FOLLOW_FIT_GOOD
};
/* Opened, it goes to the place, or as near as there is: the end, or the beginning of the next line.
 * Where it does not fit, it stays at its beginning. */
enum follow_fit follow_stream_seek(struct follow_stream *s, const struct follow_position *to,
                                   struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* Behind its last '\n' (of a plain file). */
int follow_stream_seek_end(struct follow_stream *s, struct err *err) TG_MUST_USE TG_NONNULL(1);

enum follow_read {
    FOLLOW_READ_ERROR = -1,
    FOLLOW_READ_END, /* for now, of a plain file */
    FOLLOW_READ_SOME,
    FOLLOW_READ_TRUNCATED, /* it is not the file any more that was read before */
    FOLLOW_READ_DAMAGED    /* the compressed data is; nothing more comes */
};
/* Reads on into the buffer. */
enum follow_read follow_stream_read(struct follow_stream *s, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* Behind the last line that was cut off the buffer. */
void follow_stream_position(const struct follow_stream *s, struct follow_position *p)
    TG_NONNULL(1, 2);
/* Its mtime; where no byte is known, that of when it was opened. */
int64_t follow_stream_written_ns(const struct follow_stream *s) TG_NONNULL(1);
/* Bytes that are not read; 0 where that is not known. */
uint64_t follow_stream_lag(const struct follow_stream *s) TG_NONNULL(1);

#endif
