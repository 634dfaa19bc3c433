/* tollgate doctor: what journald, rsyslog and logrotate do to the logs that the collector reads. */
#include <fnmatch.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "lib/sys/files.h"

#define PATH_BYTES 4096
#define FILE_BYTES ((size_t)4 << 20)
#define TAIL_BYTES ((size_t)64 << 10)
#define BURST      10000 /* journald's default for a service, in INTERVAL_S */
#define INTERVAL_S 30
#define IMJOURNAL  "ratelimit.interval" /* of rsyslog's modules, in lower case */

static const char *etc_of(const struct doctor *d)
{
    return d->etc_dir != NULL ? d->etc_dir : "/etc";
}

/* The path of a source of the kind file:, else NULL. */
static const char *path_of(const char *source)
{
    return strncmp(source, "file:", 5) == 0 ? source + 5 : NULL;
}

static bool has_kind(const struct settings *s, bool files)
{
    for (size_t i = 0; i < s->collect.sources.count; i++) {
        if ((path_of(s->collect.sources.items[i]) != NULL) == files)
            return true;
    }
    return false;
}

/* Each file of the pattern below the directory; `take` gets its text. False: one could not be
 * read, which is said. */
static bool files_read(struct doctor *d, const char *what, const char *pattern,
                       void (*take)(struct doctor *d, const char *path, struct slice text,
                                    void *context),
                       void *context)
{
    char path[PATH_BYTES];
    struct buf text;
    struct err err;
    bool good = true;
    glob_t found;

    (void)snprintf(path, sizeof path, "%s/%s", etc_of(d), pattern);
    (void)glob(path, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        buf_init(&text, FILE_BYTES);
        if (file_read(found.gl_pathv[i], &text, &err) == 0) {
            take(d, found.gl_pathv[i], buf_slice(&text), context);
        } else {
            doctor_say(d, DOCTOR_UNKNOWN, what, "%s", err.text);
            doctor_fix(d, "run `tollgate doctor' as root");
            good = false;
        }
        buf_fini(&text);
    }
    globfree(&found);
    return good;
}

/* The next line without blanks around it, comments and empty ones left out. */
static bool line_next(struct slice *text, struct slice *line)
{
    while (slice_cut(text, '\n', line)) {
        *line = slice_trim(*line);
        if (line->len > 0 && line->ptr[0] != '#' && line->ptr[0] != ';')
            return true;
    }
    return false;
}

/* --- logrotate ---------------------------------------------------------------------------------
 */

struct logrotate {
    bool copies_all; /* outside of all blocks */
    bool is_in_block, is_in_script, names_ours, copies;
    const char *ours; /* the last log that was named */
    unsigned found;
};

static void names_match(const struct doctor *d, struct logrotate *l, struct slice line)
{
    const struct string_list *sources = &d->cli->settings->collect.sources;
    char pattern[PATH_BYTES];
    struct slice word;

    while (slice_word(&line, " \t\"'{", &word)) {
        (void)snprintf(pattern, sizeof pattern, "%.*s", SLICE_FMT(word));
        for (size_t i = 0; pattern[0] == '/' && i < sources->count; i++) {
            const char *path = path_of(sources->items[i]);

            if (path == NULL || fnmatch(pattern, path, FNM_PATHNAME) != 0)
                continue;
            l->names_ours = true;
            l->ours = path;
        }
    }
}

static void block_end(struct doctor *d, struct logrotate *l, const char *path)
{
    if (l->names_ours && l->copies) {
        l->found++;
        doctor_say(d, DOCTOR_WARN, "logrotate",
                   "%s rotates %s by copytruncate: lines that are written meanwhile are lost, and "
                   "each rotation is a gap",
                   path, l->ours);
        doctor_fix(d,
                   "replace copytruncate there by create, with a postrotate script that makes the "
                   "syslog daemon reopen its files");
    }
    l->is_in_block = l->names_ours = false;
}

/* A script in a block, whose lines are not logrotate's. */
static bool is_script(struct logrotate *l, struct slice line)
{
    static const char *const begins[] = {"prerotate", "postrotate", "firstaction", "lastaction",
                                         "preremove"};

    if (l->is_in_script) {
        l->is_in_script = !slice_equal(line, SLICE("endscript"));
        return true;
    }
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        l->is_in_script = l->is_in_script || slice_equal(line, slice_str(begins[i]));
    return l->is_in_script;
}

static void logrotate_line(struct doctor *d, struct logrotate *l, const char *path,
                           struct slice line)
{
    bool copies = slice_equal(line, SLICE("copytruncate"));

    if (is_script(l, line))
        return;
    if (copies || slice_equal(line, SLICE("nocopytruncate"))) {
        *(l->is_in_block ? &l->copies : &l->copies_all) = copies;
        return;
    }
    if (!l->is_in_block)
        names_match(d, l, line);
    if (!l->is_in_block && slice_find(line, '{') >= 0) {
        l->is_in_block = true;
        l->copies = l->copies_all;
    }
    if (l->is_in_block && line.ptr[line.len - 1] == '}')
        block_end(d, l, path);
}

static void logrotate_take(struct doctor *d, const char *path, struct slice text, void *context)
{
    struct logrotate *l = context;
    struct slice line;

    l->is_in_block = l->is_in_script = l->names_ours = false;
    while (line_next(&text, &line))
        logrotate_line(d, l, path, line);
}

static void check_logrotate(struct doctor *d)
{
    struct logrotate l = {.ours = NULL};

    if (files_read(d, "logrotate", "logrotate.conf", logrotate_take, &l) &&
        files_read(d, "logrotate", "logrotate.d/*", logrotate_take, &l) && l.found == 0)
        doctor_say(d, DOCTOR_OK, "logrotate", "no log of the collector is rotated by copytruncate");
}

/* --- journald ----------------------------------------------------------------------------------
 */

struct journald {
    uint64_t burst, interval_s;
};

/* "30s", "1min", "30": seconds. */
static uint64_t seconds_of(struct slice text)
{
    static const struct {
        struct slice unit;
        uint64_t seconds;
    } units[] = {{{"", 0}, 1},     {{"s", 1}, 1},  {{"sec", 3}, 1},
                 {{"min", 3}, 60}, {{"m", 1}, 60}, {{"h", 1}, 3600}};
    uint64_t value = 0;
    size_t digits = 0;

    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    (void)slice_number(slice_to(text, digits), &value);
    text = slice_trim(slice_from(text, digits));
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (slice_equal(text, units[i].unit))
            return value * units[i].seconds;
    }
    return value;
}

static void journald_take(struct doctor *d, const char *path, struct slice text, void *context)
{
    struct journald *j = context;
    struct slice line, name;

    (void)d;
    (void)path;
    while (line_next(&text, &line)) {
        if (!slice_cut(&line, '=', &name))
            continue;
        name = slice_trim(name);
        line = slice_trim(line);
        if (slice_equal(name, SLICE("RateLimitBurst")))
            (void)slice_number(line, &j->burst);
        else if (slice_equal(name, SLICE("RateLimitIntervalSec")) ||
                 slice_equal(name, SLICE("RateLimitInterval")))
            j->interval_s = seconds_of(line);
    }
}

static void check_journald(struct doctor *d)
{
    struct journald j = {BURST, INTERVAL_S};

    if (!files_read(d, "journald", "systemd/journald.conf", journald_take, &j) ||
        !files_read(d, "journald", "systemd/journald.conf.d/*.conf", journald_take, &j))
        return;
    if (j.burst == 0 || j.interval_s == 0) {
        doctor_say(d, DOCTOR_OK, "journald", "no rate limit");
        return;
    }
    if (j.burst * INTERVAL_S >= BURST * j.interval_s) {
        doctor_say(d, DOCTOR_OK, "journald",
                   "it drops what a service logs above %" PRIu64 " lines in %" PRIu64 " s", j.burst,
                   j.interval_s);
        return;
    }
    doctor_say(d, DOCTOR_WARN, "journald",
               "it drops what a service logs above %" PRIu64 " lines in %" PRIu64
               " s, which is less than its default",
               j.burst, j.interval_s);
    doctor_fix(d,
               "set RateLimitIntervalSec=0 in %s/systemd/journald.conf and restart "
               "systemd-journald; or LogRateLimitIntervalSec=0 in the unit of the mail server",
               etc_of(d));
}

/* --- rsyslog -----------------------------------------------------------------------------------
 */

struct rsyslog {
    bool reads_journal, is_unlimited; /* imjournal, and with an interval of 0 */
    bool permits_slash;
    unsigned found;
};

static bool has_word(struct slice line, const char *word)
{
    return memmem(line.ptr, line.len, word, strlen(word)) != NULL;
}

/* What stands behind NAME, `=` or blanks, and quotes; false: it is not there. */
static bool value_after(struct slice line, const char *name, struct slice *value)
{
    const char *at = memmem(line.ptr, line.len, name, strlen(name));
    struct slice rest;

    if (at == NULL)
        return false;
    rest = slice_from(line, (size_t)(at - line.ptr) + strlen(name));
    return slice_word(&rest, " \t=\"')", value);
}

static void rsyslog_line(struct doctor *d, struct rsyslog *r, const char *path, struct slice line)
{
    struct slice value;

    if (has_word(line, "imjournal"))
        r->reads_journal = true;
    if (value_after(line, "parser.permitslashinprogramname", &value))
        r->permits_slash = slice_equal(value, SLICE("on"));
    if (!value_after(line, "ratelimitinterval", &value) && !value_after(line, IMJOURNAL, &value))
        return;
    if (seconds_of(value) == 0) {
        r->is_unlimited = r->is_unlimited || has_word(line, "imjournal");
        return;
    }
    r->found++;
    doctor_say(d, DOCTOR_WARN, "rsyslog",
               "%s limits the rate of lines: those above it are lost, partly without a word", path);
    doctor_fix(d, "set that interval to 0 and restart rsyslog");
}

static void rsyslog_take(struct doctor *d, const char *path, struct slice text, void *context)
{
    struct slice line;
    struct buf lower;

    while (line_next(&text, &line)) {
        buf_init(&lower, FILE_BYTES);
        for (size_t i = 0; i < line.len; i++)
            buf_add_char(&lower,
                         (char)(line.ptr[i] >= 'A' && line.ptr[i] <= 'Z' ? line.ptr[i] - 'A' + 'a'
                                                                         : line.ptr[i]));
        rsyslog_line(d, context, path, buf_slice(&lower));
        buf_fini(&lower);
    }
}

/* --- tags --------------------------------------------------------------------------------------
 */

/* "postfix/smtpd[712]" and "postfix[712]" in the end of a log: what is there of each. */
static void tags_count(struct slice text, const char *name, unsigned *whole, unsigned *cut)
{
    size_t len = strlen(name);

    for (const char *at; (at = memmem(text.ptr, text.len, name, len)) != NULL;) {
        bool begins = at == text.ptr || at[-1] == ' ';

        text = slice_from(text, (size_t)(at - text.ptr) + len);
        if (!begins || text.len == 0)
            continue;
        *whole += text.ptr[0] == '/';
        *cut += text.ptr[0] == '[';
    }
}

static bool tail_read(const char *path, char *room, size_t size, struct slice *text)
{
    FILE *file = fopen(path, "rb");

    *text = SLICE_NONE;
    if (file == NULL)
        return false;
    if (fseeko(file, -(off_t)size, SEEK_END) != 0)
        rewind(file);
    *text = (struct slice){room, fread(room, 1, size, file)};
    (void)fclose(file);
    return true;
}

static void check_tags(struct doctor *d, const char *path, const struct rsyslog *r)
{
    const struct string_list *names = &d->cli->settings->collect.names;
    char *room = malloc(TAIL_BYTES);
    unsigned whole = 0, cut = 0;
    struct slice text;

    if (room != NULL && tail_read(path, room, TAIL_BYTES, &text)) {
        for (size_t i = 0; i < names->count; i++)
            tags_count(text, names->items[i], &whole, &cut);
        if (cut > whole) {
            doctor_say(
                d, DOCTOR_WARN, "rsyslog",
                "%s has tags that end before the slash (\"%s[712]\"), so that many lines are "
                "of unknown daemons",
                path, names->items[0]);
            doctor_fix(d,
                       r->permits_slash
                           ? "restart rsyslog: parser.permitSlashInProgramName is on, and its "
                             "lines are not so yet"
                           : "global(parser.permitSlashInProgramName=\"on\") in rsyslog.conf, and "
                             "restart rsyslog");
        }
    }
    free(room);
}

static void check_rsyslog(struct doctor *d)
{
    const struct string_list *sources = &d->cli->settings->collect.sources;
    struct rsyslog r = {.found = 0};

    if (!files_read(d, "rsyslog", "rsyslog.conf", rsyslog_take, &r) ||
        !files_read(d, "rsyslog", "rsyslog.d/*.conf", rsyslog_take, &r))
        return;
    if (r.reads_journal && !r.is_unlimited && r.found == 0) {
        r.found++;
        doctor_say(d, DOCTOR_WARN, "rsyslog",
                   "imjournal takes 20,000 lines in 10 minutes by default: those above are lost");
        doctor_fix(d, "module(load=\"imjournal\" Ratelimit.Interval=\"0\"), and restart rsyslog");
    }
    if (r.found == 0)
        doctor_say(d, DOCTOR_OK, "rsyslog", "no rate limit in %s", etc_of(d));
    for (size_t i = 0; i < sources->count; i++) {
        if (path_of(sources->items[i]) != NULL)
            check_tags(d, path_of(sources->items[i]), &r);
    }
}

static bool is_there(const struct doctor *d, const char *name)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof path, "%s/%s", etc_of(d), name);
    return access(path, F_OK) == 0;
}

void doctor_syslog(struct doctor *d)
{
    const struct settings *s = d->cli->settings;

    if (has_kind(s, true))
        check_logrotate(d);
    if (has_kind(s, false) || is_there(d, "systemd/journald.conf"))
        check_journald(d);
    if (has_kind(s, true))
        check_rsyslog(d);
}
