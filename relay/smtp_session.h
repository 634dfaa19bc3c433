#ifndef TG_RELAY_SMTP_SESSION_H
#define TG_RELAY_SMTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"
#include "relay/smtp_command.h"
#include "relay/smtp_data.h"
#include "relay/smtp_reply.h"

/*
 * The server's side of an SMTP session (RFC 5321, with PIPELINING, SIZE, 8BITMIME, SMTPUTF8,
 * ENHANCEDSTATUSCODES, STARTTLS and AUTH) without any socket: bytes in, replies out, and a handler
 * that decides.
 *
 * The session checks the order of commands, syntax and limits. The handler decides on each command:
 * its functions fill in the reply, and a reply of 2xx or 3xx moves the session on. They may block:
 * the session has a thread of its own.
 *
 * Line ends are strict: a bare CR or LF anywhere ends the session, because the start of the next
 * command is ambiguous then.
 *
 * Owner: the holder; init/fini.  Threads: one.  Limits: those of struct smtp_limits, and lines of 2
 * KB.
 */

struct smtp_limits {
    uint64_t message_max_bytes; /* beyond twice that the session ends */
    size_t recipients_max;      /* in a transaction */
    size_t errors_max;          /* replies of 4xx and 5xx, then 421 */
    size_t commands_max;        /* between two accepted messages, then 421 */
};

struct smtp_handler {
    void (*connect)(void *user, struct smtp_reply *r);
    void (*helo)(void *user, struct slice name, bool extended, struct smtp_reply *r);
    void (*mail)(void *user, const struct smtp_path *path, struct smtp_reply *r);
    void (*rcpt)(void *user, const struct smtp_path *path, struct smtp_reply *r);
    void (*data)(void *user, struct smtp_reply *r);
    /* A portion of the message, without doubled dots. A failure is reported at `end`. */
    void (*text)(void *user, struct slice portion);
    void (*end)(void *user, struct smtp_reply *r);
    /* The transaction is over, with any result; also called if there was none. */
    void (*reset)(void *user);
    /* A login and its password; 235 accepts it. */
    void (*auth)(void *user, struct slice mechanism, struct slice login, struct slice password,
                 struct smtp_reply *r);
    /* An unknown command; *r has a reply, which may be changed. */
    void (*unknown)(void *user, struct slice line, struct smtp_reply *r);
};

struct smtp_session {
    const struct smtp_handler *handler;
    void *user;
    struct smtp_limits limits;
    const char *hostname;
    bool offers_tls, offers_auth; /* set by the holder; may change when TLS begins */
    bool has_tls;

    struct buf out; /* to be sent; the holder resets it */
    bool wants_tls; /* out is to be sent, then TLS begun: smtp_session_tls */
    bool is_closed; /* out is to be sent, then the connection closed */
    bool is_extended, has_helo, has_mail, has_login;
    bool is_utf8;                 /* the transaction is SMTPUTF8 */
    bool in_text;                 /* between DATA and its end */
    size_t recipients, overshoot; /* of the transaction: accepted, and above the limit */
    size_t errors, commands;
    uint64_t text_bytes;
    struct smtp_data data;
    struct buf line, text;
    struct sasl *sasl; /* an AUTH exchange in progress */
};

void smtp_session_init(struct smtp_session *s, const struct smtp_handler *handler, void *user,
                       const char *hostname, const struct smtp_limits *limits) TG_NONNULL(1);
void smtp_session_fini(struct smtp_session *s);

void smtp_session_start(struct smtp_session *s) TG_NONNULL(1);
/* Consumes *in, unless the session was closed or wants TLS: the rest has to be discarded then. */
void smtp_session_take(struct smtp_session *s, struct slice *in) TG_NONNULL(1);
/* TLS has begun: EHLO, a login and all else that the client said before are forgotten (RFC 3207
 * 4.2). */
void smtp_session_tls(struct smtp_session *s, bool offers_auth) TG_NONNULL(1);
/* Ends the session with the reply `why`; NULL: without a reply, the connection is lost. */
void smtp_session_end(struct smtp_session *s, const char *why) TG_NONNULL(1);

#endif
