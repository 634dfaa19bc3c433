#ifndef TG_CORE_MILTER_SERVER_H
#define TG_CORE_MILTER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/milter_client.h"
#include "lib/core/milter_macros.h"
#include "lib/core/milter_wire.h"

/*
 * The filter's side of the milter protocol, versions 2 to 6, without any socket: bytes of the MTA
 * go in and become events; answers become bytes. It is libmilter's twin: the same packets give the
 * same events in the same order, out-of-order ones included (libmilter tries such a command as if
 * HELO had just come, and ignores it otherwise), and the same answers.
 *
 * It is stricter where libmilter is unsafe: a length of 0, a macro name without a value, and more
 * than MILTER_MACROS_BYTES of macros are BAD.
 *
 * The filter sees MAIL, RCPT, header lines, the number of body bytes and the end of message. It
 * declines DATA, end of header and unknown commands, and asks for no reply to connect, HELO, header
 * and body; where the MTA wants one all the same it gets "continue". It may do without a reply to
 * MAIL and RCPT, too, each of which costs the client a round trip; then it says at the end of
 * message what it has to say.
 *
 * Body bytes are not looked at: they are skipped as they come, the event follows at the packet's
 * end. Any other packet must be in `in` as a whole; until then it stays there.
 *
 * Owner: init/fini; what an event points to lives as long as the bytes that were put in.
 * Threads: one at a time.  Limits: MILTER_SERVER_PACKET_BYTES a packet.
 */

/* A header of 1 MB comes in one packet; Postfix's header_size_limit is 100 kB. */
#define MILTER_SERVER_PACKET_BYTES ((size_t)2 << 20)

enum milter_server_what {
    MILTER_SERVER_MORE, /* all is taken; a packet may have begun */
    MILTER_SERVER_BAD,  /* `problem`: end the connection */
    MILTER_SERVER_NEGOTIATED,
    MILTER_SERVER_CONNECT,
    MILTER_SERVER_HELO,
    MILTER_SERVER_MAIL,
    MILTER_SERVER_RCPT,
    MILTER_SERVER_HEADER,
    MILTER_SERVER_BODY,
    MILTER_SERVER_END,
    MILTER_SERVER_ABORT,
    MILTER_SERVER_OTHER, /* one that the filter declined: to be answered with CONTINUE */
    MILTER_SERVER_NEXT,  /* the session ends, another follows on this connection: no answer */
    MILTER_SERVER_QUIT   /* the connection ends: no answer */
};

struct milter_server_event {
    enum milter_server_what what;
    bool aborts;              /* the message under way is over; said before `what` */
    struct milter_peer peer;  /* CONNECT; address empty: unknown */
    struct slice text, value; /* the path of MAIL and RCPT; name and value of a HEADER */
    size_t bytes;             /* of a BODY, or of body with the END */
    const char *problem;      /* of what is BAD */
    char address[46];         /* what peer.address points to */
};

struct milter_server {
    struct milter_macro_store macros;
    struct buf peer;                  /* the data of the CONNECT packet */
    uint32_t version, actions, steps; /* negotiated */
    uint32_t offered;                 /* steps of the MTA */
    bool is_negotiated;
    unsigned char state, event; /* as libmilter's states; `event`: of the one to be answered */
    char command;               /* of the body packet that is being skipped */
    bool ignored;               /* and it is not an event */
    bool aborts;
    size_t left, total; /* bytes of it still to come; in all */
};

void milter_server_init(struct milter_server *s) TG_NONNULL(1);
void milter_server_fini(struct milter_server *s);
/* As new, memory kept. */
void milter_server_reset(struct milter_server *s) TG_NONNULL(1);

/* Removes the next event from the front of *in. After each event but ABORT, NEXT, QUIT and BAD
 * comes one milter_server_answer. */
void milter_server_take(struct milter_server *s, struct slice *in, struct milter_server_event *e)
    TG_NONNULL(1);
/* After MORE: how many bytes the packet at the front of *in* has (0: not known yet). */
size_t milter_server_packet(struct slice in);
/* A server between packets and messages, for another process that continues with the connection.
 * False: it is not between messages, or too large. */
bool milter_server_save(const struct milter_server *s, struct buf *out) TG_MUST_USE
    TG_NONNULL(1, 2);
/* Removes one that was saved from the front of *in, into one that is new. False: it is none. */
bool milter_server_restore(struct milter_server *s, struct slice *in) TG_MUST_USE TG_NONNULL(1, 2);
/* Its CONNECT event again; false if none has come. No answer is due. */
bool milter_server_peer(const struct milter_server *s, struct milter_server_event *e) TG_MUST_USE
    TG_NONNULL(1, 2);

/* Is a message under way (from MAIL to the end of message)? */
bool milter_server_in_mail(const struct milter_server *s) TG_NONNULL(1);

/* Before milter_server_agree: MAIL, RCPT or both get no answer (MILTER_NR_*), if the MTA offers
 * that. What was agreed is in `steps`. */
void milter_server_quiet(struct milter_server *s, uint32_t steps) TG_NONNULL(1);
/* Adds the reply of the negotiation, with the macros to be sent. */
void milter_server_agree(struct milter_server *s, struct buf *out) TG_NONNULL(1);
/* Adds CONTINUE, TEMPFAIL, REJECT, or REPLY_CODE with a text ("451 4.7.1 text"); or nothing where
 * no reply is due. */
void milter_server_answer(struct milter_server *s, struct buf *out, enum milter_reply kind,
                          struct slice text) TG_NONNULL(1);
/* At the end of message: into the hold queue. False: the MTA has none. */
bool milter_server_hold(struct milter_server *s, struct buf *out, struct slice reason)
    TG_NONNULL(1);

#endif
