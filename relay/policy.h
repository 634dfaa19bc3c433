#ifndef TG_RELAY_POLICY_H
#define TG_RELAY_POLICY_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/sys/settings.h"
#include "relay/hosting.h"

/*
 * Who may send where. Mail for a hosted domain is accepted from everybody. Mail for other domains
 * is accepted only from clients in networks.host and networks.customers, from those that have
 * logged in, and from addresses that have recently checked a mailbox. No setting opens the relay to
 * all.
 */

struct policy_client {
    struct slice ip; /* text */
    bool has_login;
};

enum policy_verdict {
    POLICY_HOSTED, /* accepted, for a hosted domain */
    POLICY_RELAY,  /* accepted, for another domain */
    POLICY_DENIED, /* 554 5.7.1 */
    POLICY_UNKNOWN /* 451 4.3.0: a source is unavailable */
};

enum policy_verdict policy_recipient(struct hosting_view *v, const struct policy_client *client,
                                     struct slice domain) TG_NONNULL(1);

/* -1 (EX_CONFIG) if the settings make an open relay: if networks.host and networks.customers hold a
 * large part of the Internet, alone or together. */
int policy_check(const struct settings *s, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
