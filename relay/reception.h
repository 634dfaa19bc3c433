#ifndef TG_RELAY_RECEPTION_H
#define TG_RELAY_RECEPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "relay/envelope.h"
#include "relay/message.h"
#include "relay/milters.h"
#include "relay/queue_draft.h"
#include "relay/relay.h"
#include "relay/smtp_session.h"

/*
 * The mail of one SMTP session: the handler of relay/smtp_session.h. It asks the policy and the
 * milters, stores the message and queues it. 250 at the end of a message means that the message is
 * on the disk.
 *
 * At the end of a message: all milters but the last, then forwarders are expanded and the message
 * is written to the disk as a draft, then the last milter, then the draft is renamed into the
 * queue. So that milter, which may count what it accepts, is not asked about a message that cannot
 * be queued.
 *
 * Owner: the thread of the session; init/fini.
 */

#define RECEPTION_MACROS_MAX 24

/* How the relay would deliver to an address, for the macros of milters. */
struct reception_route {
    struct slice addr, host, mailer;
};

struct reception {
    struct relay *relay;
    struct hosting_view *view; /* while a transaction is open */
    struct milters milters;

    /* the client */
    char client_ip[64];
    uint16_t client_port, server_port;
    struct arena session; /* of what follows */
    struct slice client_name, helo, login, auth_type;
    struct slice tls_version, tls_cipher, tls_bits; /* ptr NULL: plain */
    bool is_extended;
    unsigned auth_failures;

    /* the transaction */
    struct arena arena;
    char id[QUEUE_ID_BYTES];
    bool has_recipient; /* one was accepted: from now on the milters may know the id */
    struct reception_route mail, rcpt;
    struct envelope envelope; /* as the client gave it, and milters changed it */
    struct envelope queued;   /* the same with forwarders expanded: what is in the draft */
    struct queue_draft draft;
    struct message message;

    struct milter_macro macro_list[RECEPTION_MACROS_MAX];
    char port_text[8], peer_text[340];
};

extern const struct smtp_handler reception_handler; /* its `user` is a struct reception * */

void reception_init(struct reception *rc, struct relay *relay, const char *client_ip,
                    uint16_t client_port, uint16_t server_port) TG_NONNULL(1);
void reception_fini(struct reception *rc);

/* TLS has begun: what the client said before, its login too, is forgotten (RFC 3207 4.2). Macros
 * and the Received field show TLS from now on. */
void reception_tls(struct reception *rc, const char *version, const char *cipher, int bits)
    TG_NONNULL(1);

/* The handler's `auth`. */
void reception_auth(void *user, struct slice mechanism, struct slice login, struct slice password,
                    struct smtp_reply *r) TG_NONNULL(1);

/* The macros that milters may ask for at this moment. Valid until the next call. */
struct milter_macros reception_macros(struct reception *rc) TG_NONNULL(1);
/* The relay's own Received field with its CRLF. */
void reception_received(const struct reception *rc, int64_t now_ms, struct buf *out) TG_NONNULL(1);

#endif
