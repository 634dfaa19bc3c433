#include "collect/log_form.h"

#include <string.h>

static const char *const form_names[] = {
    [LOG_FORM_NONE] = "unknown",     [LOG_FORM_SYSLOG] = "syslog",   [LOG_FORM_ISO] = "RFC 3339",
    [LOG_FORM_RFC5424] = "RFC 5424", [LOG_FORM_JOURNAL] = "journal", [LOG_FORM_DOCKER] = "Docker",
    [LOG_FORM_DOVECOT] = "Dovecot",  [LOG_FORM_SPAMD] = "spamd",     [LOG_FORM_CLAMD] = "ClamAV",
    [LOG_FORM_RSPAMD] = "rspamd",
};

const char *log_form_name(enum log_form form)
{
    return form_names[form];
}

/* --- pieces -------------------------------------------------------------------------------------
 */

struct slice log_form_skip_blanks(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    return s;
}

/* The word before the next blank, which goes too; the blanks before it are skipped. */
static struct slice take_word(struct slice *s)
{
    struct slice rest = log_form_skip_blanks(*s), word;
    ptrdiff_t blank = slice_find(rest, ' ');

    word = slice_to(rest, blank < 0 ? rest.len : (size_t)blank);
    *s = slice_from(rest, word.len + 1);
    return word;
}

struct slice log_form_skip_bom(struct slice s)
{
    return slice_from(s, slice_starts(s, SLICE("\xef\xbb\xbf")) ? 3 : 0);
}

/* "25350" between brackets, or what else stands for a pid. */
int64_t log_form_pid(struct slice text)
{
    uint64_t pid;

    return slice_number(text, &pid) && pid <= INT32_MAX ? (int64_t)pid : -1;
}

/* "tag[25350]:", "tag:", also without the colon behind brackets. */
static bool read_tag(struct slice word, struct slice *tag, int64_t *pid)
{
    ptrdiff_t open = slice_find(word, '['), close;
    struct slice rest;

    *pid = -1;
    if (open <= 0) {
        *tag = slice_to(word, word.len > 0 ? word.len - 1 : 0);
        return word.len > 1 && word.ptr[word.len - 1] == ':';
    }
    *tag = slice_to(word, (size_t)open);
    rest = slice_from(word, (size_t)open + 1);
    close = slice_find(rest, ']');
    if (close <= 0)
        return false;
    *pid = log_form_pid(slice_to(rest, (size_t)close));
    rest = slice_from(rest, (size_t)close + 1);
    return rest.len == 0 || slice_equal(rest, SLICE(":"));
}

/* --- what follows the date ----------------------------------------------------------------------
 */

/* "-- MARK --" of rsyslog, "--- MARK ---" of others. */
static bool is_mark(struct slice rest)
{
    return slice_starts(rest, SLICE("-- MARK --")) || slice_starts(rest, SLICE("--- MARK"));
}

/* "last message repeated 3 times": which one that was is not kept. */
static bool read_lost(struct slice rest, struct log_reading *out)
{
    if (!slice_starts(rest, SLICE("last message repeated ")))
        return false;
    rest = slice_from(rest, sizeof "last message repeated " - 1);
    out->is_hole = slice_number(take_word(&rest), &out->lost);
    out->reason = SLICE("the logger left out repeated lines");
    return out->is_hole;
}

/* "mx postfix/smtpd[25350]: text"; the host may be left out. */
void log_form_read_tagged(struct slice rest, struct log_reading *out)
{
    struct log_line *l = &out->line;
    struct slice first = take_word(&rest), after = rest, second = take_word(&after), tag;

    out->is_silent =
        is_mark(log_form_skip_blanks(rest)) || read_lost(log_form_skip_blanks(rest), out);
    if (out->is_silent)
        return;
    l->host = first;
    if (read_tag(second, &l->tag, &l->pid)) {
        l->text = log_form_skip_blanks(after);
        if (slice_find(first, '[') <= 0 || !read_tag(first, &tag, &l->pid))
            return;
    } else if (!read_tag(first, &tag, &l->pid)) {
        l->tag = SLICE_NONE;
        l->text = log_form_skip_blanks(rest);
        return;
    }
    l->host = SLICE_NONE;
    l->tag = tag;
    l->text = log_form_skip_blanks(rest);
}

static bool is_level(struct slice rest, size_t *len)
{
    static const struct slice levels[] = {{"Info: ", 6},  {"Error: ", 7}, {"Warning: ", 9},
                                          {"Fatal: ", 7}, {"Debug: ", 7}, {"Panic: ", 7}};

    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        *len = levels[i].len;
        if (slice_starts(rest, levels[i]))
            return true;
    }
    return false;
}

/* The length of "imap(u@host.test)<15109><aQIahldhCot/AAAB>", where "Info: " or the like follows;
 * 0: the line is not Dovecot's own. */
static size_t dovecot_prefix(struct slice rest, struct slice *level)
{
    size_t at = 0, level_len;

    while (at < rest.len && rest.ptr[at] > ' ' && rest.ptr[at] != '(' && rest.ptr[at] != ':')
        at++;
    if (at < rest.len && rest.ptr[at] == '(') { /* a user's name may hold blanks */
        while (at + 1 < rest.len && !(rest.ptr[at] == ':' && rest.ptr[at + 1] == ' '))
            at++;
    }
    if (at == 0 || at + 2 >= rest.len || rest.ptr[at] != ':' || rest.ptr[at + 1] != ' ' ||
        !is_level(slice_from(rest, at + 2), &level_len))
        return 0;
    *level = slice_to(slice_from(rest, at + 2), level_len);
    return at;
}

/* Through syslog Dovecot leaves "Info: " out, so here it is left out, too. */
static bool read_dovecot(struct buf *text, struct slice rest, struct log_reading *out)
{
    struct log_line *l = &out->line;
    struct slice level;
    size_t len = dovecot_prefix(rest, &level);

    if (len == 0)
        return false;
    out->form = LOG_FORM_DOVECOT;
    l->tag = SLICE("dovecot");
    l->text = rest;
    if (slice_starts(level, SLICE("Info: "))) {
        buf_reset(text);
        buf_add(text, slice_to(rest, len + 2));
        buf_add(text, slice_from(rest, len + 2 + level.len));
        l->text = buf_slice(text);
    }
    return true;
}

static void read_after_date(struct buf *text, struct slice rest, struct log_reading *out)
{
    rest = log_form_skip_blanks(rest);
    if (!read_dovecot(text, rest, out))
        log_form_read_tagged(rest, out);
}

/* --- the forms ----------------------------------------------------------------------------------
 */

/* "[408] info: spamd: ..." */
static bool read_spamd(struct slice s, struct log_reading *out)
{
    struct log_line *l = &out->line;
    struct slice pid = take_word(&s), level = take_word(&s);

    if (pid.len < 3 || pid.ptr[0] != '[' || pid.ptr[pid.len - 1] != ']' || level.len < 2 ||
        level.ptr[level.len - 1] != ':')
        return false;
    l->pid = log_form_pid(slice_from(slice_to(pid, pid.len - 1), 1));
    if (l->pid < 0)
        return false;
    out->form = LOG_FORM_SPAMD;
    l->tag = SLICE("spamd");
    l->text = log_form_skip_blanks(s);
    return true;
}

/* The same, and "-> ..." of ClamAV. */
static bool read_ctime(struct slice s, struct log_reading *out, struct read_time_date *date)
{
    if (!read_time_take_ctime(&s, date))
        return false;
    s = log_form_skip_blanks(s);
    if (!slice_starts(s, SLICE("-> ")))
        return read_spamd(s, out);
    out->form = LOG_FORM_CLAMD;
    out->line.tag = SLICE("clamd");
    out->line.text = log_form_skip_blanks(slice_from(s, 3));
    return true;
}

static bool read_syslog(struct buf *text, struct slice s, struct log_reading *out,
                        struct read_time_date *date)
{
    if (!read_time_take_syslog(&s, date) || s.len == 0 || s.ptr[0] != ' ')
        return false;
    out->form = LOG_FORM_SYSLOG;
    if (!read_spamd(s, out)) /* on its standard error */
        read_after_date(text, s, out);
    return true;
}

/* "#408(normal) <ab12cd>; task; ..." */
static bool read_rspamd(struct slice rest, struct log_reading *out)
{
    struct slice process = take_word(&rest);
    ptrdiff_t open = slice_find(process, '(');

    if (process.len == 0 || process.ptr[0] != '#' || open < 1)
        return false;
    out->form = LOG_FORM_RSPAMD;
    out->line.tag = SLICE("rspamd");
    out->line.pid = log_form_pid(slice_from(slice_to(process, (size_t)open), 1));
    out->line.text = log_form_skip_blanks(rest);
    return true;
}

static bool read_iso(struct buf *text, struct slice s, struct log_reading *out,
                     struct read_time_date *date)
{
    if (!read_time_take_iso(&s, date) || s.len == 0 || s.ptr[0] != ' ')
        return false;
    out->form = LOG_FORM_ISO;
    if (!read_rspamd(s, out))
        read_after_date(text, s, out);
    return true;
}

/* "-" is a value that is not known. */
static struct slice take_field(struct slice *s)
{
    struct slice word = take_word(s);

    return slice_equal(word, SLICE("-")) ? SLICE_NONE : word;
}

/* Skips "-" or "[id name=\"value\"][...]". */
static bool skip_structured(struct slice *s)
{
    *s = log_form_skip_blanks(*s);
    if (s->len > 0 && s->ptr[0] == '-') {
        *s = slice_from(*s, 1);
        return true;
    }
    while (s->len > 0 && s->ptr[0] == '[') {
        bool is_quoted = false;
        size_t at = 1;

        for (; at < s->len && (is_quoted || s->ptr[at] != ']'); at++) {
            if (s->ptr[at] == '\\')
                at++;
            else if (s->ptr[at] == '"')
                is_quoted = !is_quoted;
        }
        if (at >= s->len)
            return false;
        *s = slice_from(*s, at + 1);
    }
    return true;
}

/* "1 2026-11-28T15:09:17.805555+00:00 vm postfix 25350 - -  text", its <22> taken off. */
static bool read_rfc5424(struct slice s, struct log_reading *out, struct read_time_date *date)
{
    struct log_line *l = &out->line;

    s = slice_from(s, 2);
    if (!read_time_take_iso(&s, date))
        return false;
    out->form = LOG_FORM_RFC5424;
    l->host = take_field(&s);
    l->tag = take_field(&s);
    l->pid = log_form_pid(take_field(&s));
    (void)take_field(&s);
    if (!skip_structured(&s))
        return false;
    l->text = log_form_skip_blanks(log_form_skip_bom(log_form_skip_blanks(s)));
    return true;
}

/* "<22>" of those that keep the priority. */
static struct slice skip_priority(struct slice s)
{
    ptrdiff_t close;
    uint64_t priority;

    if (s.len == 0 || s.ptr[0] != '<')
        return s;
    close = slice_find(slice_to(s, 5), '>');
    if (close < 2 || !slice_number(slice_from(slice_to(s, (size_t)close), 1), &priority))
        return s;
    return slice_from(s, (size_t)close + 1);
}

bool log_form_read(struct slice s, struct buf *text, struct log_reading *out,
                   struct read_time_date *date)
{
    s = skip_priority(s);
    if (s.len < 2)
        return false;
    if (s.ptr[0] == '1' && s.ptr[1] == ' ')
        return read_rfc5424(s, out, date);
    if (s.ptr[0] >= '0' && s.ptr[0] <= '9')
        return read_iso(text, s, out, date);
    return read_syslog(text, s, out, date) || read_ctime(s, out, date);
}
