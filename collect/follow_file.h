#ifndef TG_COLLECT_FOLLOW_FILE_H
#define TG_COLLECT_FOLLOW_FILE_H

#include <stdint.h>

#include "collect/follow.h"
#include "collect/follow_state.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * A log file that is followed through its rotations. follow_file.c reads one file after the other,
 * follow_find.c chooses the next, follow_state.h has what both know.
 *
 * A file that was renamed is read on until it has been quiet for FOLLOW_QUIET_MS and the next one
 * has data: daemons write to it until they are told to open the new one. Until then the position
 * stays at its end, so that it is always one in bytes that exist.
 *
 * Of a file that was copied and truncated, the copy is read to its end. What was written between
 * the copying and the truncating is in neither, and nothing tells whether there was any: that is a
 * gap each time. A copy is known by the truncation that was seen, else by times: it was made after
 * the live file was (of a compressed one, written to long after).
 */

#define FOLLOW_QUIET_MS 5000 /* a rotated file that was not written to for so long is done */

/* follow_state_fini frees, also after a failure. */
int follow_file_init(struct follow_file *f, const char *path, const struct follow_options *options,
                     const struct follow_position *at, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);
enum follow_result follow_file_next(struct follow_file *f, int64_t now_ms, struct slice *line,
                                    struct gap *gap, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 3, 4);

#endif
