#include "collect/filters.h"

#include <stdlib.h>

#include "lib/core/hash.h"

#define REST_KEY SLICE("rest")

/* Counters hold whole seconds, scans take less: what is not yet a second waits here. amavis writes
 * two lines of a message that it passed to some and blocked for others. */
struct filters_rest {
    uint64_t spam_ms;
    uint64_t amavis; /* hash of the last message's id */
};

/* --- the book -----------------------------------------------------------------------------------
 */

static void rest_encode(const void *thing, struct buf *out)
{
    const struct filters_rest *rest = thing;

    buf_add_varint(out, rest->spam_ms);
    buf_add_varint(out, rest->amavis);
}

static void *rest_decode(struct slice bytes)
{
    struct filters_rest *rest = calloc(1, sizeof *rest);

    if (rest != NULL && (!slice_take_varint(&bytes, &rest->spam_ms) || rest->spam_ms >= 1000 ||
                         !slice_take_varint(&bytes, &rest->amavis))) {
        free(rest);
        return NULL;
    }
    return rest;
}

void filters_types(struct open_book *b)
{
    static const struct open_thing type = {rest_encode, rest_decode, free};

    open_type(b, OPEN_FILTER, &type);
}

/* --- counting -----------------------------------------------------------------------------------
 */

static void count(struct machine *m, const struct log_line *line, enum counter id, uint64_t amount)
{
    if (amount > 0)
        m->sink->count(m->sink->to, line->time_ms, &PAYER_NONE, id, amount);
}

static struct open_entry *rest_entry(struct machine *m, int64_t now_ms)
{
    struct open_entry *e = open_entry(m->open, OPEN_FILTER, REST_KEY);
    struct filters_rest *rest;

    if (e != NULL)
        return e;
    rest = calloc(1, sizeof *rest);
    return rest != NULL ? open_add(m->open, OPEN_FILTER, REST_KEY, rest, now_ms) : NULL;
}

static void count_time(struct machine *m, const struct log_line *line, uint64_t ms)
{
    struct open_entry *e = rest_entry(m, line->time_ms);
    struct filters_rest *rest;

    if (e == NULL)
        return;
    rest = e->thing;
    rest->spam_ms += ms * line->times;
    count(m, line, COUNTER_SPAMD_CONNECTION_SECONDS, rest->spam_ms / 1000);
    rest->spam_ms %= 1000;
    open_touch(m->open, e, line->time_ms);
}

/* --- texts --------------------------------------------------------------------------------------
 */

static bool find_text(struct slice s, struct slice what, struct slice *after)
{
    for (ptrdiff_t at; (at = slice_find(s, what.ptr[0])) >= 0; s = slice_from(s, 1)) {
        s = slice_from(s, (size_t)at);
        if (slice_starts(s, what)) {
            *after = slice_from(s, what.len);
            return true;
        }
    }
    return false;
}

static bool has_text(struct slice s, struct slice what)
{
    struct slice after;

    return find_text(s, what, &after);
}

static bool ends(struct slice s, struct slice what)
{
    return s.len >= what.len && slice_equal(slice_from(s, s.len - what.len), what);
}

/* "12.345" of a unit that has `unit` milliseconds; 0: no number. */
static uint64_t milliseconds(struct slice s, uint64_t unit)
{
    uint64_t whole = 0, part = 0, scale = 1;
    size_t at = 0;

    for (; at < s.len && at < 9 && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++)
        whole = whole * 10 + (uint64_t)(s.ptr[at] - '0');
    if (at < s.len && s.ptr[at] == '.') {
        for (at++; at < s.len && scale < 1000 && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++) {
            part = part * 10 + (uint64_t)(s.ptr[at] - '0');
            scale *= 10;
        }
    }
    return whole * unit + part * unit / scale;
}

/* --- SpamAssassin -------------------------------------------------------------------------------
 */

static const struct shape spamd_connection = {"spamd: connection", true};
static const struct shape spamd_result = {"spamd: result", true};
static const struct shape spamd_bad = {"spamd: bad protocol", true};
static const struct shape spamd_notice = {"spamd: notice", false};
static const struct shape spamd_unused = {"spamd: not the spam service", false};

/* "spamd: connection from localhost [127.0.0.1]:35188 to port 783, fd 5" */
static const struct shape *spamd_line(struct machine *m, const struct log_line *line)
{
    struct slice text = line->text, time;

    if (!slice_starts(text, SLICE("spamd: ")))
        return &spamd_notice; /* "prefork: child states: II", of plug-ins */
    text = slice_from(text, sizeof "spamd: " - 1);
    if (m->rules->spam_service != SPAM_SPAMD)
        return &spamd_unused;
    if (slice_starts(text, SLICE("connection from ")) ||
        slice_starts(text, SLICE("got connection over "))) {
        count(m, line, COUNTER_SPAMD_CONNECTIONS, line->times);
        return &spamd_connection;
    }
    if (slice_starts(text, SLICE("result: "))) {
        if (find_text(text, SLICE("scantime="), &time))
            count_time(m, line, milliseconds(time, 1000));
        return &spamd_result;
    }
    if (slice_starts(text, SLICE("bad protocol: "))) {
        count(m, line, COUNTER_SPAMD_FAILED, line->times);
        return &spamd_bad;
    }
    return &spamd_notice;
}

static const struct shape spamc_failed = {"spamc: connect failed", true};
static const struct shape spamc_notice = {"spamc: notice", false};

/* "connect to spamd on 127.0.0.1 failed, retrying (#1 of 3): Connection refused", each try. */
static const struct shape *spamc_line(struct machine *m, const struct log_line *line)
{
    struct slice text = line->text;

    if (m->rules->spam_service != SPAM_SPAMD ||
        !(slice_starts(text, SLICE("connect to spamd on ")) ||
          slice_starts(text, SLICE("connect(AF_UNIX) to spamd "))) ||
        !has_text(text, SLICE(" failed")))
        return &spamc_notice;
    count(m, line, COUNTER_SPAMD_FAILED, line->times);
    return &spamc_failed;
}

static const struct shape spamass_failed = {"spamass-milter: error", true};
static const struct shape spamass_notice = {"spamass-milter: notice", false};

/* "Thrown error: execution error: ...": spamc could not be run or did not answer. */
static const struct shape *spamass_line(struct machine *m, const struct log_line *line)
{
    if (m->rules->spam_service != SPAM_SPAMD || !slice_starts(line->text, SLICE("Thrown error: ")))
        return &spamass_notice;
    count(m, line, COUNTER_SPAMD_FAILED, line->times);
    return &spamass_failed;
}

/* --- amavis and rspamd --------------------------------------------------------------------------
 */

static const struct shape amavis_message = {"amavis: message", true};
static const struct shape amavis_clamd = {"amavis: clamd failed", true};
static const struct shape amavis_timeout = {"amavis: SpamAssassin timed out", true};
static const struct shape amavis_notice = {"amavis: notice", false};
static const struct shape amavis_unused = {"amavis: not the spam service", false};

/* "(01234-01) " off the front, and the marks of warnings "(!)", "(!!)". */
static struct slice skip_amavis_id(struct slice s)
{
    while (s.len > 0 && s.ptr[0] == '(') {
        ptrdiff_t close = slice_find(s, ')');

        if (close < 0)
            break;
        s = slice_trim(slice_from(s, (size_t)close + 1));
    }
    return s;
}

/* "... queued_as: 4jc, 1234 ms" */
static uint64_t last_ms(struct slice text)
{
    ptrdiff_t comma = slice_find_last(text, ',');

    return ends(text, SLICE(" ms"))
               ? milliseconds(slice_trim(slice_from(text, (size_t)(comma + 1))), 1)
               : 0;
}

/* By its id, "(01234-01)". */
static bool is_new_message(struct machine *m, const struct log_line *line)
{
    struct open_entry *e = rest_entry(m, line->time_ms);
    ptrdiff_t close = slice_find(line->text, ')');
    uint64_t hash = hash_add(HASH_BEGIN, slice_to(line->text, (size_t)(close + 1)));
    struct filters_rest *rest;

    if (e == NULL || close < 0)
        return true;
    rest = e->thing;
    if (rest->amavis == hash)
        return false;
    rest->amavis = hash;
    open_touch(m->open, e, line->time_ms);
    return true;
}

static const struct shape *amavis_line(struct machine *m, const struct log_line *line)
{
    struct slice text = skip_amavis_id(line->text);
    bool is_service = m->rules->spam_service == SPAM_AMAVIS;

    if (slice_starts(text, SLICE("Passed ")) || slice_starts(text, SLICE("Blocked "))) {
        if (!is_service)
            return &amavis_unused;
        if (is_new_message(m, line)) {
            count(m, line, COUNTER_SPAMD_CONNECTIONS, line->times);
            count_time(m, line, last_ms(text));
        }
        return &amavis_message;
    }
    if (slice_starts(text, SLICE("connect to ")) && has_text(text, SLICE("clam")) &&
        has_text(text, SLICE(" failed"))) {
        count(m, line, COUNTER_CLAMD_FAILED, line->times);
        return &amavis_clamd;
    }
    if (is_service && slice_starts(text, SLICE("SA TIMED OUT"))) {
        count(m, line, COUNTER_SPAMD_FAILED, line->times);
        return &amavis_timeout;
    }
    return &amavis_notice;
}

static const struct shape rspamd_message = {"rspamd: message", true};
static const struct shape rspamd_clamd = {"rspamd: clamd failed", true};
static const struct shape rspamd_notice = {"rspamd: notice", false};
static const struct shape rspamd_unused = {"rspamd: not the spam service", false};

/* "<ab12cd>; task; rspamd_task_write_log: id: <...>, ... len: 2048, time: 12.345ms, dns req: 5" */
static const struct shape *rspamd_line(struct machine *m, const struct log_line *line)
{
    struct slice after;

    if (find_text(line->text, SLICE("rspamd_task_write_log: "), &after)) {
        if (m->rules->spam_service != SPAM_RSPAMD)
            return &rspamd_unused;
        count(m, line, COUNTER_SPAMD_CONNECTIONS, line->times);
        if (find_text(after, SLICE(", time: "), &after))
            count_time(m, line, milliseconds(after, 1));
        return &rspamd_message;
    }
    if (has_text(line->text, SLICE(": failed to scan, maximum retransmits exceed")) &&
        has_text(line->text, SLICE("clamav"))) {
        count(m, line, COUNTER_CLAMD_FAILED, line->times);
        return &rspamd_clamd;
    }
    return &rspamd_notice;
}

/* --- ClamAV -------------------------------------------------------------------------------------
 */

static const struct shape clamd_clean = {"clamd: clean", true};
static const struct shape clamd_found = {"clamd: found", true};
static const struct shape clam_failed = {"clamav-milter: clamd failed", true};
static const struct shape clam_notice = {"clamd: notice", false};
static const struct shape freshclam_notice = {"freshclam: notice", false};

/* clamav-milter's words; its own file has the form of clamd's. */
static bool is_clamd_away(struct slice text)
{
    return has_text(text, SLICE("No clamd server appears to be available")) ||
           has_text(text, SLICE("Streaming failed")) ||
           has_text(text, SLICE("No reply from clamd"));
}

/* "instream(127.0.0.1@43062): OK", "fd[11]: Eicar-Test-Signature(...) FOUND", "/path: OK" */
static const struct shape *clam_line(struct machine *m, const struct log_line *line)
{
    if (line->daemon != DAEMON_CLAMAV_MILTER &&
        (ends(line->text, SLICE(": OK")) || ends(line->text, SLICE(" FOUND")))) {
        count(m, line, COUNTER_CLAMD_CONNECTIONS, line->times);
        return ends(line->text, SLICE(" FOUND")) ? &clamd_found : &clamd_clean;
    }
    if (is_clamd_away(line->text)) {
        count(m, line, COUNTER_CLAMD_FAILED, line->times);
        return &clam_failed;
    }
    return &clam_notice;
}

const struct shape *filters_line(struct machine *m, const struct log_line *line)
{
    switch (line->daemon) {
    case DAEMON_SPAMD:
        return spamd_line(m, line);
    case DAEMON_SPAMC:
        return spamc_line(m, line);
    case DAEMON_SPAMASS_MILTER:
        return spamass_line(m, line);
    case DAEMON_AMAVIS:
        return amavis_line(m, line);
    case DAEMON_RSPAMD:
        return rspamd_line(m, line);
    case DAEMON_CLAMD:
    case DAEMON_CLAMAV_MILTER:
        return clam_line(m, line);
    case DAEMON_FRESHCLAM:
        return &freshclam_notice;
    default:
        return NULL;
    }
}
