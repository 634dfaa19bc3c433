#ifndef TG_SYS_LOG_H
#define TG_SYS_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "lib/core/buf.h"
#include "lib/core/slice.h"

/*
 * The log: one line an event, `event key=value key="quoted value"`, to syslog or stderr. Every byte that is not
 * printable ASCII or valid UTF-8 is escaped (\xHH), so that nothing from outside can forge a line.
 *
 * Levels are those of syslog(3): LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG.
 * Threads: all.  log_open/log_set before threads start or under the reload.
 */

struct log_field {
    const char *key;
    struct slice text; /* used where is_number is false */
    int64_t number;
    bool is_number;
};

#define LOG_TEXT(key, slice)   ((struct log_field){(key), (slice), 0, false})
#define LOG_STR(key, string)   ((struct log_field){(key), slice_str(string), 0, false})
#define LOG_NUM(key, value)    ((struct log_field){(key), SLICE_NONE, (int64_t)(value), true})

/* log_event(LOG_INFO, "message counted", LOG_TEXT("qid", id), LOG_NUM("bytes", n)); */
#define log_event(level, event, ...)                                                               \
    log_fields((level), (event), (const struct log_field[]){__VA_ARGS__},                          \
               sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_plain(level, event) log_fields((level), (event), NULL, 0)

void log_fields(int level, const char *event, const struct log_field *fields, size_t count);
/* The line as it will be written, without a time or newline (for tests and `violations`). */
void log_format(struct buf *b, const char *event, const struct log_field *fields, size_t count);

enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG };

/* `facility` is a syslog facility number (LOG_MAIL ...). Until it is called, lines go to stderr from LOG_INFO up. */
void log_open(const char *ident, enum log_target target, int facility, int level);

#endif
