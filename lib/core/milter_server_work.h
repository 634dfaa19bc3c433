#ifndef TG_CORE_MILTER_SERVER_WORK_H
#define TG_CORE_MILTER_SERVER_WORK_H

#include "lib/core/milter_server.h"

/* Shared by the sources of the server: milter_server.c (order of events, packets, answers),
 * milter_server_data.c (what is in a packet), milter_server_save.c. Included by nothing else. */

/* The states of libmilter's engine, in its order: where a step was declined its state may be
 * skipped on the way to a later one. */
enum milter_server_state {
    ST_INIT,
    ST_OPTS,
    ST_CONN,
    ST_HELO,
    ST_MAIL,
    ST_RCPT,
    ST_DATA,
    ST_HDRS,
    ST_EOHS,
    ST_BODY,
    ST_ENDM,
    ST_QUIT,
    ST_ABRT,
    ST_UNKN,
    ST_Q_NC,
    STATES
};

/* What is asked of the MTA, if it offers it. */
#define WANTED_STEPS                                                                               \
    (MILTER_NO_DATA | MILTER_NO_EOH | MILTER_NO_UNKNOWN | MILTER_NR_CONNECT | MILTER_NR_HELO |     \
     MILTER_NR_HEADER | MILTER_NR_BODY | MILTER_LEAD_SPACE)
/* And if the filter has nothing to say there (milter_server_quiet). */
#define ENVELOPE_STEPS (MILTER_NR_MAIL | MILTER_NR_RCPT)
#define WANTED_ACTIONS (MILTER_CAN_QUARANTINE | MILTER_CAN_SET_SYMLIST)
/* What an MTA offers that says nothing: version 1 of the protocol. */
#define FIRST_ACTIONS 0x0fu
#define FIRST_STEPS   0x3fu
/* Bits that Sendmail and libmilter keep for themselves. */
#define INTERNAL_STEPS 0x70000000u
#define VERSION_MIN    2u

static inline bool milter_server_is_mail(unsigned state)
{
    return state >= ST_MAIL && state < ST_ENDM;
}

static inline void milter_server_bad(struct milter_server_event *e, const char *problem)
{
    e->what = MILTER_SERVER_BAD;
    e->problem = problem;
}

/* The data of a packet, which has some where its command wants it. */
void milter_server_data(struct milter_server *s, char command, struct slice data,
                        struct milter_server_event *e) TG_NONNULL(1, 4);
/* That of a CONNECT packet. */
void milter_server_peer_take(struct slice data, struct milter_server_event *e) TG_NONNULL(2);

#endif
