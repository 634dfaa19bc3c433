#ifndef TG_COLLECT_LOG_LINE_H
#define TG_COLLECT_LOG_LINE_H

#include <stdint.h>

#include "lib/core/slice.h"

/*
 * One line of a mail log, taken apart: when, where, which program, what it said. The reader
 * (collect/log_reader.h) makes it of whatever form the log has; all that comes after it sees only
 * this.
 *
 * Owner: slices are borrowed from the reader's line and live until its next one.
 */

enum daemon {
    DAEMON_OTHER, /* none of those below, or not known */
    DAEMON_SMTPD,
    DAEMON_POSTSCREEN,
    DAEMON_SMTP,
    DAEMON_LMTP,
    DAEMON_QMGR,
    DAEMON_CLEANUP,
    DAEMON_PICKUP,
    DAEMON_BOUNCE,
    DAEMON_LOCAL,
    DAEMON_VIRTUAL,
    DAEMON_PIPE,
    DAEMON_POSTSUPER,
    DAEMON_ANVIL,
    DAEMON_POSTFIX, /* its other daemons, and a tag that was cut at the slash */
    DAEMON_DOVECOT,
    DAEMON_SENDMAIL,
    DAEMON_SPAMD,
    DAEMON_SPAMC,
    DAEMON_SPAMASS_MILTER,
    DAEMON_AMAVIS,
    DAEMON_RSPAMD,
    DAEMON_CLAMD,
    DAEMON_CLAMAV_MILTER,
    DAEMON_FRESHCLAM,
    DAEMON_TOLLGATED,
    DAEMON_JOURNALD,
    DAEMON_RSYSLOGD
};
#define DAEMON_COUNT (DAEMON_RSYSLOGD + 1)

struct log_line {
    int64_t time_ms; /* Unix, UTC */
    struct slice host;
    struct slice tag;      /* as written: "postfix-out/submission/smtpd" */
    struct slice instance; /* "postfix-out"; of programs without instances the tag */
    struct slice service;  /* "submission"; empty where the tag does not name one */
    enum daemon daemon;
    int64_t pid;       /* -1: not known */
    struct slice text; /* what was said, without escapes of the log's own undone */
    uint32_t times;    /* 1; more: "message repeated n times" */
    unsigned source;   /* index into collect.sources */
};

#endif
