#ifndef TG_SYS_LOG_H
#define TG_SYS_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * The log: one line an event, `event key=value key="quoted value"`, to syslog or stderr. A value is
 * quoted where it is empty or holds anything but plain characters; in quotes, `"` and `\` carry a
 * backslash, and every byte that is not printable ASCII or valid UTF-8 is written as \xHH, and so
 * are the controls of utf8_is_control, so that no outside text can forge a line or turn it around.
 * Event and keys are literals and are written as they are.
 *
 * On stderr a line begins with the time (of the process's zone), program[pid] and level:
 *     2026-11-21T13:04:05.123+0000 tollgated[712] info: message counted qid=4jWnX03VvBz1cTBS
 *
 * Levels are those of syslog(3): LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG.
 * Threads: all; log_open before threads start, or by one thread at a reload (with the same ident).
 * Limits: a value is cut to 2 kB and ends in "..." then; fields beyond 8 kB a line are left out,
 * and `cut=yes` says so.
 */

#define LOG_LINE_BYTES ((size_t)8192)

struct log_field {
    const char *key;
    struct slice text; /* used where is_number is false */
    int64_t number;
    bool is_number;
};

#define LOG_TEXT(key, slice)  ((struct log_field){(key), (slice), 0, false})
#define LOG_STR(key, string)  ((struct log_field){(key), slice_str(string), 0, false})
#define LOG_NUM(key, value)   ((struct log_field){(key), SLICE_NONE, (int64_t)(value), true})
#define LOG_ERROR(key, error) LOG_STR((key), (error)->text) /* a struct err * */

/* log_event(LOG_INFO, "message counted", LOG_TEXT("qid", id), LOG_NUM("bytes", n)); */
#define log_event(level, event, ...)                                                               \
    log_fields((level), (event), (const struct log_field[]){__VA_ARGS__},                          \
               sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_plain(level, event) log_fields((level), (event), NULL, 0)

void log_fields(int level, const char *event, const struct log_field *fields, size_t count);
/* The line as it will be written, without prefix or newline (for tests and `violations`); within
 * b->cap_bytes, which must be above 9. */
void log_format(struct buf *b, const char *event, const struct log_field *fields, size_t count)
    TG_NONNULL(1);
/* Would a line of that level be written? To skip costly preparations. */
bool log_wants(int level);

enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG };

/* `facility` is a syslog facility number (LOG_MAIL ...). Until it is called, lines go to stderr
 * from LOG_INFO up. */
void log_open(const char *ident, enum log_target target, int facility, int level);

#endif
