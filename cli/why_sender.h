#ifndef TG_CLI_WHY_SENDER_H
#define TG_CLI_WHY_SENDER_H

#include "cli/why.h"
#include "lib/core/contract.h"
#include "lib/read/read_held.h"
#include "lib/read/read_usage_rows.h"
#include "lib/read/read_violations.h"

/*
 * tollgate why ADDRESS, domain, client or @server: who pays, what limits hold and how full they
 * are. Read first (why_sender_read), then said as text or as JSON.
 *
 * Owner: the arena of `struct why`.
 */

#define WHY_VIOLATIONS_SHOWN 5

enum why_network { WHY_NO_NETWORK, WHY_HOST, WHY_CUSTOMER, WHY_OUTSIDE };

struct why_sender {
    const struct address *address; /* NULL: not about a user */
    struct slice user;             /* as counted; empty: none */
    struct slice alias;            /* the domain typed, where its mail is charged to another */
    struct holder holder;          /* who is charged; what follows is read where it is hosted */
    enum why_network network;      /* of a client */
    bool is_exempt, is_exempt_user, is_exempt_recipient;
    bool is_forwarder;
    struct forward_targets targets;
    struct err forward_unread; /* whether it is a forwarder could not be asked */
    struct holder_limits limits;
    struct usage_rows usage;
    struct held_summary held;
    struct violation_entry violations[WHY_VIOLATIONS_SHOWN]; /* the newest first */
    size_t violation_count;
};

/* An address, or (address NULL) a domain, client or the server: what holder_parse takes. */
int why_sender_read(struct why *w, const struct address *address, const char *holder,
                    struct why_sender *s, struct err *err) TG_MUST_USE TG_NONNULL(1, 4, 5);
/* The full limit that decides about mail sent, or about bounces; NULL: none is full. */
const struct usage_row *why_sender_full(const struct why_sender *s, bool bounces) TG_NONNULL(1);
/* The fullest limit about mail sent that acts; NULL: there is none. */
const struct usage_row *why_sender_fullest(const struct why_sender *s) TG_NONNULL(1);

void why_sender_say(struct why *w, const struct why_sender *s) TG_NONNULL(1, 2);
/* One object; the caller's. */
struct json_t *why_sender_json(struct why *w, const struct why_sender *s) TG_NONNULL(1, 2);

#endif
