#include "collect/machines.h"

#include "collect/activity.h"
#include "collect/dovecot.h"
#include "collect/filters.h"
#include "collect/mail_machines.h"

void machines_types(struct machine *m)
{
    filters_types(m->open);
    dovecot_types(m->open);
    mail_machines_types(m->open);
    activity_init(m);
}

const struct shape *machines_line(struct machine *m, const struct log_line *line)
{
    static const struct shape skipped = {"other program", false}, tollgate = {"tollgate", false};

    switch (line->daemon) {
    case DAEMON_SPAMD:
    case DAEMON_SPAMC:
    case DAEMON_SPAMASS_MILTER:
    case DAEMON_AMAVIS:
    case DAEMON_RSPAMD:
    case DAEMON_CLAMD:
    case DAEMON_CLAMAV_MILTER:
    case DAEMON_FRESHCLAM:
        return filters_line(m, line);
    case DAEMON_DOVECOT:
        return dovecot_line(m, line);
    case DAEMON_TOLLGATED:
        return &tollgate;
    case DAEMON_OTHER:
        return &skipped;
    default:
        return mail_machines_line(m, line);
    }
}

void machines_tick(struct machine *m, int64_t now_ms)
{
    mail_machines_tick(m, now_ms);
    dovecot_tick(m, now_ms);
}
