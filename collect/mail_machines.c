#include "collect/mail_machines.h"

#include "collect/mail.h"
#include "collect/mail_key.h"
#include "collect/mail_note.h"
#include "collect/mail_text.h"
#include "collect/notices.h"
#include "collect/postscreen.h"
#include "collect/sendmail.h"
#include "collect/smtp_out.h"
#include "collect/smtpd.h"

#define MS_PER_S 1000

static const struct shape restarted = {"master: daemon started", true},
                          stopped = {"master: terminating", true},
                          reloaded = {"master: reload", false},
                          statistics = {"anvil: statistics", false},
                          postfix_other = {"postfix: other", false};

void mail_machines_types(struct open_book *b)
{
    mail_type(b);
    mail_note_type(b);
    postscreen_type(b);
    sendmail_type(b);
    smtp_out_type(b);
    smtpd_type(b);
}

/* The daemons that Postfix's master started have ended. */
static const struct shape *all_ended(struct machine *m, const struct log_line *line,
                                     const struct shape *shape)
{
    smtpd_restarted(m, line);
    smtp_out_restarted(m, line);
    return shape;
}

/* Those that say nothing of mail that is counted. */
static bool is_silent(struct slice daemon)
{
    static const struct slice names[] = {{"master", 6},           {"scache", 6},   {"verify", 6},
                                         {"tlsmgr", 6},           {"tlsproxy", 8}, {"dnsblog", 7},
                                         {"postfix-script", 14},  {"postlogd", 8}, {"proxymap", 8},
                                         {"trivial-rewrite", 15}, {"flush", 5},    {"showq", 5}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_equal(names[i], daemon))
            return true;
    }
    return false;
}

/* Postfix's other daemons: master, those that answer for a transport (error, discard ...). */
static const struct shape *postfix_line(struct machine *m, const struct log_line *line)
{
    if (mail_text_starts(line->text, SLICE("daemon started -- version ")))
        return all_ended(m, line, &restarted);
    if (mail_text_starts(line->text, SLICE("terminating on signal ")))
        return all_ended(m, line, &stopped);
    if (mail_text_starts(line->text, SLICE("reload -- version ")))
        return &reloaded;
    return is_silent(mail_text_daemon(line)) ? &postfix_other : mail_line(m, line);
}

static const struct shape *line_of(struct machine *m, const struct log_line *line)
{
    switch (line->daemon) {
    case DAEMON_SMTPD:
        return smtpd_line(m, line);
    case DAEMON_POSTSCREEN:
        return postscreen_line(m, line);
    case DAEMON_SMTP:
    case DAEMON_LMTP:
        return smtp_out_line(m, line);
    case DAEMON_QMGR:
    case DAEMON_CLEANUP:
    case DAEMON_PICKUP:
    case DAEMON_BOUNCE:
    case DAEMON_LOCAL:
    case DAEMON_VIRTUAL:
    case DAEMON_PIPE:
    case DAEMON_POSTSUPER:
        return mail_line(m, line);
    case DAEMON_ANVIL:
        return mail_text_starts(line->text, SLICE("statistics: ")) ? &statistics : NULL;
    case DAEMON_POSTFIX:
        return postfix_line(m, line);
    case DAEMON_SENDMAIL:
        return sendmail_line(m, line);
    case DAEMON_JOURNALD:
    case DAEMON_RSYSLOGD:
        return notices_line(m, line);
    default:
        return NULL;
    }
}

static void tick(struct machine *m, int64_t now_ms, unsigned source)
{
    smtpd_tick(m, now_ms, source);
    postscreen_tick(m, now_ms, source);
    smtp_out_tick(m, now_ms, source);
    mail_tick(m, now_ms, source);
    sendmail_tick(m, now_ms, source);
}

/* Sources are not read at the same pace: each has its own time. */
const struct shape *mail_machines_line(struct machine *m, const struct log_line *line)
{
    int64_t *reached_s = &m->source_s[line->source % MACHINE_CLOCKS];
    int64_t now_s = line->time_ms / MS_PER_S;

    if (now_s > *reached_s) {
        *reached_s = now_s;
        tick(m, now_s * MS_PER_S, line->source);
    }
    return line_of(m, line);
}

void mail_machines_tick(struct machine *m, int64_t now_ms)
{
    int64_t now_s = now_ms / MS_PER_S;

    if (now_s <= m->all_s)
        return;
    m->all_s = now_s;
    tick(m, now_s * MS_PER_S, MAIL_KEY_ALL);
}
