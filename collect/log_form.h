#ifndef TG_COLLECT_LOG_FORM_H
#define TG_COLLECT_LOG_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/log_line.h"
#include "collect/read_time.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The forms of log lines, and those read here that are plain text: a date, then who says what. JSON
 * is log_reader's own.
 *
 * Owner: what is read is borrowed from the line, or from the buffer that is given.
 */

enum log_form {
    LOG_FORM_NONE,
    LOG_FORM_SYSLOG,  /* "Nov 28 15:09:17 mx postfix/smtpd[25350]: ...", postlogd's too */
    LOG_FORM_ISO,     /* the same with the date of RFC 3339: rsyslog's default */
    LOG_FORM_RFC5424, /* "<22>1 2026-11-28T15:09:17.805555+00:00 mx postfix 25350 - - ..." */
    LOG_FORM_JOURNAL, /* journalctl -o json */
    LOG_FORM_DOCKER,  /* {"log":"...","time":"..."}: one of the others inside */
    LOG_FORM_DOVECOT, /* its own file: "Nov 28 15:06:40 imap-login: Info: ..." */
    LOG_FORM_SPAMD, /* its own: "Sat Nov 28 15:08:13 2026 [408] info: ...", "Nov 28 15:08:13.2 ..."
                     */
    LOG_FORM_CLAMD, /* its own: "Sat Nov 28 15:08:14 2026 -> ..."; clamav-milter's, freshclam's */
    LOG_FORM_RSPAMD /* its own: "2026-11-28 15:08:14 #408(normal) <ab12cd>; ..." */
};
const char *log_form_name(enum log_form form);

struct log_reading {
    enum log_form form;
    bool is_silent;       /* "-- MARK --", an empty line: well-formed, and says nothing */
    struct log_line line; /* where form is one and the line is not silent */
    struct slice cursor;  /* of a journal entry */
    bool is_hole;         /* lines are missing before this one: NULs, "last message repeated" */
    uint64_t lost;        /* how many, where that is told */
    struct slice reason;  /* of the hole */
    bool is_future;       /* later than now by over a day: taken as now */
    bool warn_future;     /* it is the first such line of the source */
    bool is_cut;          /* longer than the reader's limit */
};

/* Reads a line of text in its form; *text takes what has to be copied. False: none of the forms. */
bool log_form_read(struct slice s, struct buf *text, struct log_reading *out,
                   struct read_time_date *date) TG_NONNULL(2, 3, 4);
/* "mx postfix/smtpd[25350]: text", what follows the date of most; the host may be left out. */
void log_form_read_tagged(struct slice s, struct log_reading *out) TG_NONNULL(2);

/* The byte order mark of UTF-8 off the front. */
struct slice log_form_skip_bom(struct slice s);
struct slice log_form_skip_blanks(struct slice s);
/* A pid as text; -1: it is none. */
int64_t log_form_pid(struct slice text);

#endif
