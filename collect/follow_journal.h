#ifndef TG_COLLECT_FOLLOW_JOURNAL_H
#define TG_COLLECT_FOLLOW_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/follow.h"
#include "collect/follow_buffer.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * The systemd journal, through a journalctl of its own.
 *
 * It is started with --cursor=C, never with --after-cursor=C, which drops the first entry where
 * that of C is not in the selection (systemd before 255): so the first entry is left out only if
 * its cursor is C, and otherwise there is a gap. A cursor that journalctl refuses is a gap, too;
 * the time of the last entry takes its place. One that ends is started again, later each time.
 */

#define FOLLOW_JOURNAL_LINE_MAX ((size_t)192 << 10)
#define FOLLOW_JOURNAL_WORDS    64 /* of a source's text */

struct follow_journal {
    struct follow_options options;
    struct buf words; /* journalctl's, of the source's text, each ended by NUL */
    size_t word_count;
    pid_t child; /* 0: none */
    int fd, errors;
    struct follow_buffer buffer;
    struct follow_position at;
    bool was_refused;  /* the cursor of `at` */
    bool looks_for_at; /* the next entry should be that of `at` */
    bool has_held;     /* the line that follows a gap */
    struct slice held;
    char said[400]; /* the first of what the child wrote to its standard error */
    size_t said_len;
    int64_t again_at_ms, pause_ms;
};

void follow_journal_fini(struct follow_journal *j) TG_NONNULL(1);
/* `text` is what follows "journal:". */
int follow_journal_init(struct follow_journal *j, const char *text,
                        const struct follow_options *options, const struct follow_position *at,
                        struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
enum follow_result follow_journal_next(struct follow_journal *j, int64_t now_ms, struct slice *line,
                                       struct gap *gap, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 3, 4);
void follow_journal_position(const struct follow_journal *j, struct follow_position *p)
    TG_NONNULL(1, 2);

#endif
