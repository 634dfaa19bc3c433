#ifndef TG_COLLECT_FOLLOW_STATE_H
#define TG_COLLECT_FOLLOW_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/follow.h"
#include "collect/follow_stream.h"
#include "lib/core/contract.h"

/*
 * What is known of a log file that is followed: the stream that is read now, how long it has been
 * quiet, the file that was read before. follow_file.h has the idea.
 *
 * Owner: the holder, by follow_file_init.
 */

/* A last line without a '\n' at a rotated file's end is given as it is when that has been quiet for
 * so long. */
#define FOLLOW_PART_MS 60000

/* As the time of the last write in a position: there is none yet. */
#define FOLLOW_STATE_NOT_BEGUN (-1)

struct follow_file {
    const char *path; /* borrowed */
    struct follow_options options;
    struct follow_stream stream;
    bool is_final;    /* nothing can be added to it: compressed, or a copy */
    bool is_copy;     /* by copytruncate */
    bool is_misfit;   /* the position that it was to begin at is not there, or not quite */
    bool is_rotating; /* names change: what comes next could not be told */
    int64_t quiet_since_ms, rotating_since_ms;
    /* Where to begin while no stream is open. */
    bool has_at, was_truncated;
    struct follow_position at;
    char reason[512]; /* of a gap that is to be told; empty: none */
    int inotify, watch;
    struct {
        int fd; /* of the file that was read before; -1: none */
        uint64_t end;
        int64_t since_ms;
    } left;
};

void follow_state_fini(struct follow_file *f) TG_NONNULL(1);

/* Goes on with this stream, which is taken over. */
void follow_state_take(struct follow_file *f, struct follow_stream *s, int64_t now_ms)
    TG_NONNULL(1, 2);
/* More was read of it. */
void follow_state_note_quiet(struct follow_file *f, int64_t now_ms) TG_NONNULL(1);
/* To begin again where it is, wherever that is by now: its file was truncated. */
void follow_state_lose(struct follow_file *f) TG_NONNULL(1);
/* Where it is. */
void follow_state_position(const struct follow_file *f, struct follow_position *p) TG_NONNULL(1, 2);
/* A gap where the file that was read before has got more since. */
void follow_state_look_back(struct follow_file *f, int64_t now_ms) TG_NONNULL(1);
/* Notes a gap to be told before the next line. */
void follow_state_gap(struct follow_file *f, const char *format, ...) TG_PRINTF(2, 3)
    TG_NONNULL(1, 2);

#endif
