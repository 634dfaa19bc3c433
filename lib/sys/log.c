#include "lib/sys/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "lib/core/utf8.h"
#include "lib/sys/clock.h"

#define VALUE_BYTES ((size_t)2048)
#define CUT_MARK    " cut=yes"

/* The one place that all threads log through; written by log_open alone. */
static struct {
    _Atomic int target, facility, level;
    char ident[64];
} the_log = {.target = LOG_TARGET_STDERR, .facility = LOG_MAIL, .level = LOG_INFO};

/* Bytes at the front that need no escape; 0: the first one does. */
static size_t plain_length(struct slice s)
{
    unsigned char c = (unsigned char)s.ptr[0];
    size_t len;

    if (c == '"' || c == '\\' || c < 0x20 || c == 0x7f)
        return 0;
    if (c < 0x80)
        return 1;
    len = utf8_length(s);
    return len > 0 && !utf8_is_control(utf8_code(s, len)) ? len : 0;
}

static bool needs_quotes(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        size_t len = plain_length(slice_from(s, i));

        if (len == 0 || s.ptr[i] == ' ' || s.ptr[i] == '=')
            return true;
        i += len - 1;
    }
    return s.len == 0;
}

/* Bytes at the front that need no escape, of characters that begin within the first `most`. */
static size_t plain_run(struct slice s, size_t most)
{
    size_t at = 0, len = 1;

    while (len > 0 && at < s.len && at <= most) {
        len = plain_length(slice_from(s, at));
        at += len;
    }
    return at;
}

static void add_escape(struct buf *b, char c)
{
    if (c == '"' || c == '\\')
        buf_addf(b, "\\%c", c);
    else
        buf_addf(b, "\\x%02x", (unsigned)(unsigned char)c);
}

static void add_value(struct buf *b, struct slice s)
{
    bool quoted = needs_quotes(s);
    size_t start = b->len;

    if (quoted)
        buf_add_char(b, '"');
    while (s.len > 0) {
        size_t used = b->len - start, len;

        if (b->failed || used > VALUE_BYTES) {
            buf_add_str(b, "...");
            break;
        }
        len = plain_run(s, VALUE_BYTES - used);
        if (len == 0)
            add_escape(b, s.ptr[0]);
        else
            buf_add(b, slice_to(s, len));
        s = slice_from(s, len == 0 ? 1 : len);
    }
    if (quoted)
        buf_add_char(b, '"');
}

static void add_number(struct buf *b, int64_t number)
{
    if (number < 0)
        buf_add_char(b, '-');
    buf_add_number(b, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

static void add_field(struct buf *b, const struct log_field *field)
{
    buf_add_char(b, ' ');
    buf_add_str(b, field->key);
    buf_add_char(b, '=');
    if (field->is_number)
        add_number(b, field->number);
    else
        add_value(b, field->text);
}

/* A field is written whole or not at all; if one does not fit, the line ends with cut=yes. */
void log_format(struct buf *b, const char *event, const struct log_field *fields, size_t count)
{
    const size_t cap = b->cap_bytes;
    size_t good;

    TG_ASSERT(cap > sizeof CUT_MARK);
    b->cap_bytes = cap - (sizeof CUT_MARK - 1);
    buf_add_str(b, event);
    good = b->len;
    for (size_t i = 0; i < count && !b->failed; i++) {
        add_field(b, &fields[i]);
        if (!b->failed)
            good = b->len;
    }
    b->cap_bytes = cap;
    if (b->failed && b->data != NULL) {
        b->failed = false;
        b->len = good;
        buf_add_str(b, CUT_MARK);
    }
}

static const char *level_name(int level)
{
    static const char *const names[] = {"emerg",   "alert",  "crit", "error",
                                        "warning", "notice", "info", "debug"};

    return names[level & LOG_PRIMASK];
}

static void write_stderr(int level, struct slice line)
{
    int64_t now_ms = clock_unix_ms();
    time_t now = (time_t)(now_ms / 1000);
    char date[32], zone[8], prefix[160];
    struct tm tm;
    int len;

    if (localtime_r(&now, &tm) == NULL)
        return;
    (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)strftime(zone, sizeof zone, "%z", &tm);
    len = snprintf(prefix, sizeof prefix, "%s.%03d%s %s[%d] %s: ", date, (int)(now_ms % 1000), zone,
                   the_log.ident[0] != '\0' ? the_log.ident : "tollgate", (int)getpid(),
                   level_name(level));
    struct iovec parts[] = {{prefix, len > 0 ? (size_t)len : 0},
                            {(void *)(uintptr_t)line.ptr, line.len},
                            {(void *)(uintptr_t) "\n", 1}};
    /* A log that cannot be written has nowhere to say so. */
    ssize_t written = writev(STDERR_FILENO, parts, 3);
    (void)written;
}

bool log_wants(int level)
{
    return level <= atomic_load(&the_log.level);
}

void log_fields(int level, const char *event, const struct log_field *fields, size_t count)
{
    struct buf line;

    if (!log_wants(level))
        return;
    buf_init(&line, LOG_LINE_BYTES);
    log_format(&line, event, fields, count);
    if (atomic_load(&the_log.target) == LOG_TARGET_SYSLOG)
        syslog(level | atomic_load(&the_log.facility), "%.*s", SLICE_FMT(buf_slice(&line)));
    else
        write_stderr(level, buf_slice(&line));
    buf_fini(&line);
}

void log_open(const char *ident, enum log_target target, int facility, int level)
{
    if (strcmp(the_log.ident, ident) != 0) /* at a reload others read it */
        (void)snprintf(the_log.ident, sizeof the_log.ident, "%s", ident);
    atomic_store(&the_log.facility, facility);
    atomic_store(&the_log.level, level);
    closelog();
    if (target == LOG_TARGET_SYSLOG)
        openlog(the_log.ident, LOG_PID | LOG_NDELAY, facility);
    atomic_store(&the_log.target, (int)target);
}
