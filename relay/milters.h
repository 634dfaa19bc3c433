#ifndef TG_RELAY_MILTERS_H
#define TG_RELAY_MILTERS_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/milter_client.h"
#include "lib/sys/milter_link.h"
#include "lib/sys/settings.h"
#include "relay/envelope.h"
#include "relay/message.h"
#include "relay/smtp_command.h"
#include "relay/smtp_reply.h"

/*
 * The milters of one SMTP session, called one after the other, with a function for each event. If a
 * milter refuses, the function changes the reply and returns false. At the end of a message each
 * milter sees the whole message with the changes of the milters before it.
 *
 * A milter that cannot be reached, breaks the protocol or is too slow is unavailable for the rest
 * of the session: relay.milter_default decides in its place.
 *
 * Owner: init/fini.  Threads: one.
 */

#define MILTERS_MAX 20

struct milters {
    const struct settings *settings;
    struct milter_macros macros; /* set before each event */
    struct milter_slot {
        struct milter_link link;
        const char *where;
        bool is_open, is_away;
    } slots[MILTERS_MAX];
    size_t count;
    bool discard, quarantine; /* requested in this transaction */
};

void milters_init(struct milters *m, const struct settings *s) TG_NONNULL(1);
void milters_fini(struct milters *m); /* sends QUIT */

bool milters_connect(struct milters *m, const struct milter_peer *peer, struct smtp_reply *r)
    TG_NONNULL(1);
bool milters_helo(struct milters *m, struct slice name, struct smtp_reply *r) TG_NONNULL(1);
bool milters_mail(struct milters *m, const struct smtp_path *path, struct smtp_reply *r)
    TG_NONNULL(1);
bool milters_rcpt(struct milters *m, const struct smtp_path *path, struct smtp_reply *r)
    TG_NONNULL(1);
/* A recipient that the relay refuses, for milters that want to see it; its macros give the reason.
 */
void milters_rejected_rcpt(struct milters *m, const struct smtp_path *path) TG_NONNULL(1);
bool milters_data(struct milters *m, struct smtp_reply *r) TG_NONNULL(1);
bool milters_unknown(struct milters *m, struct slice command, struct smtp_reply *r) TG_NONNULL(1);

/* What the milters see and change at the end of a message. */
struct milters_mail {
    struct message *message;
    struct envelope *envelope;
    struct arena *arena; /* of the envelope */
    /* Called before the last milter gives its verdict: that one may count the message, so all that
     * can fail has to be done by then. False: *r refuses the message. */
    bool (*prepare)(void *user, struct smtp_reply *r);
    void *user;
    bool is_changed; /* by the last milter */
};

/* Header, body, end of message; applies all changes. `prepare` is not called if an earlier
 * milter refused or discarded the message. */
bool milters_message(struct milters *m, struct milters_mail *mail, struct smtp_reply *r)
    TG_NONNULL(1);
/* The transaction is over. */
void milters_abort(struct milters *m) TG_NONNULL(1);

#endif
