#ifndef TG_CORE_MILTER_CLIENT_H
#define TG_CORE_MILTER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/milter_wire.h"
#include "lib/core/slice.h"

/*
 * The MTA's side of the milter protocol, as Postfix speaks it, without any socket: events go in and
 * become bytes in `out`; bytes from the milter go in and become answers. lib/sys/milter_link.h puts
 * a socket and deadlines around it.
 *
 * Events that the milter declined in the negotiation are not sent; macros are sent before each
 * event (those that the milter asked for, else those that Postfix sends by default); after ACCEPT
 * nothing more of the message is sent.
 *
 * Use: milter_client_offer, then events. An event function returns true if an answer is due: send
 * `out`, then take answers until one with `is_final`. If it returns false, `out` may still have
 * grown.
 *
 * Owner: the holder; init/fini.  Threads: one.  Limits: packets of 64 KB each way.
 * Errors: MILTER_TAKE_BAD (the milter broke the protocol): close the connection; `problem` says
 * why.
 */

struct milter_macro {
    const char *name; /* without braces: "j", "mail_addr" */
    struct slice value;
};

struct milter_macros {
    const struct milter_macro *list;
    size_t count;
};

struct milter_client {
    struct buf out; /* to be sent; the holder resets it */
    struct milter_macros
        macros; /* the present values; borrowed, set by the holder before an event */
    uint32_t version, actions, steps;
    struct buf
        symbols[MILTER_STAGES]; /* asked-for names, blank separated; used where has_symbols */
    bool has_symbols[MILTER_STAGES];
    char event;                   /* the last one sent; 0: none */
    bool is_waiting;              /* an answer to it is due */
    bool is_ready;                /* negotiated */
    bool off_connection;          /* accepted: nothing more of the connection is sent */
    bool off_message, skips_body; /* until the next MAIL */
    char text[1024];              /* the reply of the last answer */
    const char *problem;
};

void milter_client_init(struct milter_client *c) TG_NONNULL(1);
void milter_client_fini(struct milter_client *c);

/* The negotiation: always answered. */
bool milter_client_offer(struct milter_client *c) TG_NONNULL(1);

struct milter_peer {
    struct slice name; /* host name, or "[192.0.2.1]" if there is none */
    char family;       /* '4', '6', 'L', or 'U' (then port and address are not sent) */
    uint16_t port;
    struct slice address; /* "192.0.2.1", "2001:db8::1", a path */
};

bool milter_client_connect(struct milter_client *c, const struct milter_peer *peer) TG_NONNULL(1);
bool milter_client_helo(struct milter_client *c, struct slice name) TG_NONNULL(1);
/* The path as the client wrote it, then each ESMTP parameter. */
bool milter_client_mail(struct milter_client *c, struct slice path, const struct slice *params,
                        size_t count) TG_NONNULL(1);
bool milter_client_rcpt(struct milter_client *c, struct slice path, const struct slice *params,
                        size_t count) TG_NONNULL(1);
bool milter_client_data(struct milter_client *c) TG_NONNULL(1);
/* `value` is the text between the colon and the last CRLF; CRLF within it is sent as LF. */
bool milter_client_header(struct milter_client *c, struct slice name, struct slice value)
    TG_NONNULL(1);
bool milter_client_eoh(struct milter_client *c) TG_NONNULL(1);
bool milter_client_body(struct milter_client *c, struct slice chunk)
    TG_NONNULL(1); /* at most MILTER_CHUNK_BYTES */
bool milter_client_eom(struct milter_client *c) TG_NONNULL(1);
bool milter_client_unknown(struct milter_client *c, struct slice command) TG_NONNULL(1);
/* The transaction ends (also after its end of message, as Postfix does). Never answered. */
void milter_client_abort(struct milter_client *c) TG_NONNULL(1);
void milter_client_quit(struct milter_client *c) TG_NONNULL(1);

/* Whether the milter wants header lines, and body chunks. */
bool milter_client_wants_headers(const struct milter_client *c) TG_NONNULL(1);
bool milter_client_wants_body(const struct milter_client *c) TG_NONNULL(1);
bool milter_client_wants_rejected(const struct milter_client *c) TG_NONNULL(1);

struct milter_answer {
    char kind; /* enum milter_reply; PROGRESS is ignored; SKIP is given as CONTINUE */
    bool is_final;
    uint32_t index;     /* INSERT_HEADER (0: topmost), CHANGE_HEADER (1: first of that name) */
    struct slice name;  /* of a header */
    struct slice value; /* header value (empty: delete it), address, body, reason of a quarantine */
    struct slice params; /* ESMTP parameters of CHANGE_FROM and ADD_RCPT_PAR */
    int code;            /* REPLY_CODE: 4xx or 5xx */
    struct slice text;   /* and the whole reply: "451 4.7.1 text", lines separated by CRLF */
};

enum milter_take { MILTER_TAKE_MORE, MILTER_TAKE_ANSWER, MILTER_TAKE_BAD };

/* Removes one answer from the front of *in; its slices point into *in (text: into *c). */
enum milter_take milter_client_take(struct milter_client *c, struct slice *in,
                                    struct milter_answer *out) TG_NONNULL(1);

#endif
