#include "collect/notices.h"

#include "collect/mail_key.h"
#include "collect/mail_note.h"
#include "collect/mail_text.h"

/* journald speaks of what it dropped when the interval is over (RateLimitIntervalSec, 30 s). */
#define JOURNAL_INTERVAL_MS 30000

static const struct shape dropping = {"syslog: begins to drop", true},
                          dropped = {"syslog: dropped", true},
                          suppressed = {"journald: suppressed", true},
                          stopped = {"syslog: stop", true}, started = {"syslog: start", true},
                          foreign = {"journald: suppressed, of others", false},
                          not_counted = {"syslog: other", false};

static void gap_tell(struct machine *m, const struct log_line *line, int64_t from_ms, uint64_t lost,
                     struct slice reason)
{
    m->sink->gap(m->sink->to,
                 &(struct gap){.source = line->source,
                               .from_ms = from_ms < line->time_ms ? from_ms : line->time_ms,
                               .to_ms = line->time_ms,
                               .lost = lost,
                               .reason = reason});
}

/* The time noted for the line's daemon under that name, and no more. False: none. */
static bool since_take(struct machine *m, const struct log_line *line, struct slice name,
                       int64_t *since_ms)
{
    struct mail_key k;
    struct slice key = mail_key_named(&k, line, name);

    if (!mail_note_get(m, key, since_ms))
        return false;
    mail_note_drop(m, key);
    return true;
}

static void since_note(struct machine *m, const struct log_line *line, struct slice name)
{
    struct mail_key k;

    mail_note_set(m, mail_key_named(&k, line, name), line->time_ms, line->time_ms);
}

/* The number right before `what`; 0: none. */
static uint64_t number_before(struct slice text, struct slice what)
{
    ptrdiff_t at = mail_text_find(text, what);
    struct slice head = at < 0 ? SLICE_NONE : slice_to(text, (size_t)at);
    uint64_t n;

    head = slice_from(head, (size_t)(slice_find_last(head, ' ') + 1));
    return slice_number(head, &n) ? n : 0;
}

/* Whose lines are dropped: the pid in "imuxsock[pid 25350]: ...", "imuxsock lost 46 messages from
 * pid 25350 due to ...", else the input, as "imjournal". */
static struct slice dropper_of(struct slice text)
{
    struct slice rest = mail_text_after(text, SLICE("pid ")), word;

    if (rest.len == 0)
        rest = text;
    return slice_word(&rest, " :]", &word) ? word : SLICE_NONE;
}

static const struct shape *rsyslogd_line(struct machine *m, const struct log_line *line)
{
    struct slice text = line->text, who = dropper_of(text);
    int64_t since_ms = line->time_ms;
    uint64_t lost = number_before(text, SLICE(" messages lost due to rate-limiting"));

    if (lost == 0)
        lost = number_before(text, SLICE(" messages from pid "));
    if (mail_text_has(text, SLICE(" to drop messages"))) {
        since_note(m, line, who);
        return &dropping;
    }
    if (lost > 0) {
        TG_IGNORE(since_take(m, line, who, &since_ms)); /* not told: a point */
        gap_tell(m, line, since_ms, lost, SLICE("rsyslogd: rate limit"));
        return &dropped;
    }
    if (mail_text_has(text, SLICE("exiting on signal"))) {
        since_note(m, line, SLICE("stop"));
        return &stopped;
    }
    if (mail_text_starts(text, SLICE("[origin ")) && mail_text_has(text, SLICE("] start"))) {
        TG_IGNORE(since_take(m, line, SLICE("stop"), &since_ms)); /* killed: a point */
        gap_tell(m, line, since_ms, 0, SLICE("rsyslogd: restart"));
        return &started;
    }
    return &not_counted;
}

/* Is it a service whose lines are read here? */
static bool is_of_mail(struct slice unit)
{
    static const struct slice names[] = {
        {"postfix", 7}, {"dovecot", 7},     {"sendmail", 8},   {"mail", 4},     {"spam", 4},
        {"clam", 4},    {"amavis", 6},      {"rspamd", 6},     {"tollgate", 8}, {"sm-mta", 6},
        {"rsyslog", 7}, {"user.slice", 10}, {"init.scope", 10}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (mail_text_has_nocase(unit, names[i]))
            return true;
    }
    return false;
}

/* "Suppressed 46 messages from postfix@-.service", "Journal stopped", "Journal started" */
static const struct shape *journald_line(struct machine *m, const struct log_line *line)
{
    struct slice text = line->text;
    uint64_t lost = number_before(text, SLICE(" messages from "));
    int64_t since_ms = line->time_ms;

    if (mail_text_starts(text, SLICE("Suppressed ")) && lost > 0) {
        if (!is_of_mail(mail_text_after(text, SLICE(" messages from "))))
            return &foreign;
        gap_tell(m, line, line->time_ms - JOURNAL_INTERVAL_MS, lost, SLICE("journald: rate limit"));
        return &suppressed;
    }
    if (mail_text_starts(text, SLICE("Journal stopped"))) {
        since_note(m, line, SLICE("stop"));
        return &stopped;
    }
    if (mail_text_starts(text, SLICE("Journal started"))) {
        if (since_take(m, line, SLICE("stop"), &since_ms))
            gap_tell(m, line, since_ms, 0, SLICE("journald: restart"));
        return &started;
    }
    return &not_counted;
}

const struct shape *notices_line(struct machine *m, const struct log_line *line)
{
    return line->daemon == DAEMON_JOURNALD ? journald_line(m, line) : rsyslogd_line(m, line);
}
