#include "collect/log_reader.h"

#include <string.h>

#include "collect/log_json.h"
#include "collect/log_tag.h"

#define STATE_VERSION 1
#define TEXT_BYTES    (4 * LOG_READER_LINE_BYTES)

void log_reader_init(struct log_reader *r, const struct log_setup *setup, unsigned source)
{
    *r = (struct log_reader){.setup = setup, .source = source};
    read_time_init(&r->time, READ_TIME_NONE);
    buf_init(&r->text, TEXT_BYTES);
    buf_init(&r->json, TEXT_BYTES);
}

void log_reader_fini(struct log_reader *r)
{
    buf_fini(&r->text);
    buf_fini(&r->json);
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

struct json_fields {
    struct slice message, identifier, syslog_pid, pid, host, realtime, cursor, log, time;
    bool has_message, has_log;
};

static struct slice *field_of(struct json_fields *f, struct slice key)
{
    static const struct {
        struct slice key;
        size_t at;
    } fields[] = {
        {{"MESSAGE", 7}, offsetof(struct json_fields, message)},
        {{"SYSLOG_IDENTIFIER", 17}, offsetof(struct json_fields, identifier)},
        {{"SYSLOG_PID", 10}, offsetof(struct json_fields, syslog_pid)},
        {{"_PID", 4}, offsetof(struct json_fields, pid)},
        {{"_HOSTNAME", 9}, offsetof(struct json_fields, host)},
        {{"__REALTIME_TIMESTAMP", 20}, offsetof(struct json_fields, realtime)},
        {{"__CURSOR", 8}, offsetof(struct json_fields, cursor)},
        {{"log", 3}, offsetof(struct json_fields, log)},
        {{"time", 4}, offsetof(struct json_fields, time)},
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (slice_equal(fields[i].key, key))
            return (struct slice *)(void *)((char *)f + fields[i].at);
    }
    return NULL;
}

/* All texts stay where they are: the buffer has room for them from the start. */
static bool read_fields(struct log_reader *r, struct slice s, struct json_fields *f)
{
    struct log_json_value value;
    struct log_json json;
    struct slice key, *field;

    *f = (struct json_fields){0};
    buf_reset(&r->json);
    if (buf_space(&r->json, s.len) == NULL || !log_json_open(&json, s))
        return false;
    while (log_json_next(&json, &key, &value)) {
        field = field_of(f, key);
        if (field == NULL || value.kind == LOG_JSON_WORD)
            continue;
        *field = log_json_text(&value, &r->json);
        f->has_message = f->has_message || field == &f->message;
        f->has_log = f->has_log || field == &f->log;
    }
    return json.has_ended;
}

static bool read_journal(const struct json_fields *f, struct log_reading *out, int64_t *time_ms)
{
    struct log_line *l = &out->line;
    uint64_t time_us;

    out->cursor = f->cursor;
    if (!slice_number(f->realtime, &time_us) || time_us > INT64_MAX)
        return false;
    *time_ms = (int64_t)(time_us / 1000);
    out->form = LOG_FORM_JOURNAL;
    if (!f->has_message) {
        out->is_silent = out->is_hole = true;
        out->lost = 1;
        out->reason = SLICE("the journal left out a message");
        return true;
    }
    l->host = f->host;
    l->tag = f->identifier;
    l->pid = log_form_pid(f->syslog_pid);
    if (l->pid < 0)
        l->pid = log_form_pid(f->pid);
    l->text = log_form_skip_blanks(f->message);
    return true;
}

/* The container's line has a date of its own or none; Docker's is exact. */
static bool read_docker(struct log_reader *r, const struct json_fields *f, struct log_reading *out,
                        struct read_time_date *date)
{
    struct read_time_date inner;
    struct slice log = f->log, time = f->time;

    while (log.len > 0 && (log.ptr[log.len - 1] == '\n' || log.ptr[log.len - 1] == '\r'))
        log.len--;
    if (!read_time_take_iso(&time, date) || !date->has_zone)
        return false;
    if (!log_form_read(log, &r->text, out, &inner))
        log_form_read_tagged(log, out);
    out->form = LOG_FORM_DOCKER;
    return true;
}

static bool read_json(struct log_reader *r, struct slice s, const struct read_time_bounds *bounds,
                      struct log_reading *out)
{
    struct json_fields f;
    struct read_time_date date;
    int64_t time_ms;

    if (!read_fields(r, s, &f))
        return false;
    if (f.has_log && f.time.len > 0) {
        if (!read_docker(r, &f, out, &date))
            return false;
        out->line.time_ms = read_time_at(&r->time, r->setup->zone, &date, bounds, &out->is_future);
        return true;
    }
    if (!read_journal(&f, out, &time_ms))
        return false;
    out->line.time_ms = read_time_of(&r->time, time_ms, bounds, &out->is_future);
    return true;
}

/* --- a line -------------------------------------------------------------------------------------
 */

/* A crash leaves a run of NULs where data was not yet written; a line goes on behind it. */
static struct slice skip_nuls(struct slice s, struct log_reading *out)
{
    ptrdiff_t last = slice_find_last(s, '\0');

    if (last < 0)
        return s;
    out->is_hole = true;
    out->reason = SLICE("NUL bytes in the file, as a crash leaves them");
    return slice_from(s, (size_t)last + 1);
}

/* "message repeated 3 times: [ connect from a[192.0.2.1]]" */
static void read_repeated(struct log_line *line)
{
    struct slice rest = line->text, number;
    uint64_t times;

    if (!slice_starts(rest, SLICE("message repeated ")))
        return;
    rest = slice_from(rest, sizeof "message repeated " - 1);
    if (!slice_cut(&rest, ' ', &number) || !slice_number(number, &times) || times == 0 ||
        times > UINT32_MAX || !slice_starts(rest, SLICE("times: [")) ||
        rest.ptr[rest.len - 1] != ']')
        return;
    rest = slice_from(rest, sizeof "times: [" - 1);
    line->text = log_form_skip_blanks(slice_to(rest, rest.len - 1));
    line->times = (uint32_t)times;
}

static struct slice trim(struct slice s, struct log_reading *out)
{
    out->is_cut = s.len > LOG_READER_LINE_BYTES;
    s = skip_nuls(slice_to(s, LOG_READER_LINE_BYTES), out);
    s = log_form_skip_bom(s);
    if (s.len > 0 && s.ptr[s.len - 1] == '\r')
        s.len--;
    return s;
}

static bool read_any(struct log_reader *r, struct slice s, const struct read_time_bounds *bounds,
                     struct log_reading *out)
{
    struct read_time_date date;

    if (s.len > 0 && s.ptr[0] == '{')
        return read_json(r, s, bounds, out);
    if (!log_form_read(s, &r->text, out, &date))
        return false;
    out->line.time_ms = read_time_at(&r->time, r->setup->zone, &date, bounds, &out->is_future);
    return true;
}

bool log_reader_read(struct log_reader *r, struct slice bytes,
                     const struct read_time_bounds *bounds, struct log_reading *out)
{
    struct slice s;

    memset(out, 0, sizeof *out);
    out->line.pid = -1;
    out->line.times = 1;
    out->line.source = r->source;
    s = trim(bytes, out);
    if (s.len == 0) {
        out->is_silent = true;
        return true;
    }
    if (!read_any(r, s, bounds, out)) {
        out->form = LOG_FORM_NONE;
        return false;
    }
    out->warn_future = out->is_future && !r->warned_future;
    r->warned_future = r->warned_future || out->is_future;
    if (!out->is_silent) {
        read_repeated(&out->line);
        log_tag_read(&out->line, r->setup->names);
    }
    return true;
}

/* --- state --------------------------------------------------------------------------------------
 */

void log_reader_encode(const struct log_reader *r, struct buf *out)
{
    int64_t last = r->time.last_ms;

    buf_add_varint(out, STATE_VERSION);
    buf_add_varint(out, r->warned_future);
    buf_add_varint(out, last != READ_TIME_NONE);
    if (last != READ_TIME_NONE)
        buf_add_varint(out, last >= 0 ? (uint64_t)last << 1 : (uint64_t)(-(last + 1)) << 1 | 1);
}

bool log_reader_decode(struct log_reader *r, struct slice bytes)
{
    uint64_t version, warned, has_last, last = 0;

    read_time_init(&r->time, READ_TIME_NONE);
    r->warned_future = false;
    if (!slice_take_varint(&bytes, &version) || version != STATE_VERSION ||
        !slice_take_varint(&bytes, &warned) || warned > 1 ||
        !slice_take_varint(&bytes, &has_last) || has_last > 1 ||
        (has_last && !slice_take_varint(&bytes, &last)) || bytes.len > 0)
        return false;
    if (has_last)
        r->time.last_ms = last & 1 ? -(int64_t)(last >> 1) - 1 : (int64_t)(last >> 1);
    r->warned_future = warned == 1;
    return true;
}
