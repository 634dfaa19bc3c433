#ifndef TG_COLLECT_DOVECOT_SESSION_H
#define TG_COLLECT_DOVECOT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/machine.h"
#include "lib/core/contract.h"

/*
 * Sessions of POP and IMAP users, from login to end, in the open book under their session id.
 *
 * Their seconds accrue at the ticks, a whole minute at a time, so that what is counted does not
 * depend on when the ticks come. A session without a line for longer than the server's own timeout
 * pauses: it has most likely ended without a word. Should its end come after all, the rest is
 * added.
 */

enum dovecot_proto { DOVECOT_POP, DOVECOT_IMAP };

/* The counters of a protocol. */
struct dovecot_counters {
    enum counter connections, seconds, bytes, blocked, bad_commands, terminations, auth_failed;
};
const struct dovecot_counters *dovecot_counters(enum dovecot_proto proto);

struct dovecot_session {
    enum dovecot_proto proto;
    unsigned source;
    struct slice host;    /* of the log line */
    struct payer payer;   /* canonical; all three in memory of the session's own */
    int64_t accrued_ms;   /* seconds are counted up to there */
    uint64_t bytes;       /* counted so far */
    bool has_exact_bytes; /* they are the whole */
    bool has_ended;       /* kept for a minute, for what an event may add */
    bool is_note;         /* no session, but something to be remembered */
};

/* How long an ended session is kept. */
#define DOVECOT_SESSION_KEEP_MS INT64_C(60000)

void dovecot_session_type(struct open_book *b) TG_NONNULL(1);
/* A login, unless the session has ended. Out of memory: the session's seconds are not counted. */
void dovecot_session_begin(struct machine *m, const struct log_line *line, struct slice id,
                           enum dovecot_proto proto, const struct payer *payer) TG_NONNULL(1, 2, 5);
/* An end without a login: that may be logged behind it, by another process, and is no session then.
 * It counts for `payer`; NULL: out of memory. */
struct dovecot_session *dovecot_session_end_first(struct machine *m, const struct log_line *line,
                                                  struct slice id, enum dovecot_proto proto,
                                                  const struct payer *payer) TG_NONNULL(1, 2, 5);
/* Remembers under that key that it was so at the line's time (the entry's touched_ms). */
void dovecot_session_note(struct machine *m, const struct log_line *line, struct slice key)
    TG_NONNULL(1, 2);
/* The rest of its seconds; gone from the book. */
void dovecot_session_end(struct machine *m, struct open_entry *e, int64_t time_ms) TG_NONNULL(1, 2);
/* Its end, but an event with its bytes may follow. */
void dovecot_session_linger(struct machine *m, struct open_entry *e, int64_t time_ms)
    TG_NONNULL(1, 2);
/* The server was started: all sessions of that log and host are over. */
void dovecot_session_end_all(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);
void dovecot_session_tick(struct machine *m, int64_t now_ms) TG_NONNULL(1);

#endif
