#ifndef TG_RELAY_POLICY_H
#define TG_RELAY_POLICY_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/sys/settings.h"
#include "relay/hosting.h"

/*
 * Who may send where. A hosted domain takes mail from everybody. Anything else may be reached only
 * by clients inside (networks.host and networks.customers), by those who have logged in, and by
 * those who have lately checked their mailbox from the same address. There is no setting that opens
 * it to all.
 */

struct policy_client {
    struct slice ip; /* text */
    bool has_login;
};

enum policy_verdict {
    POLICY_HOSTED, /* taken: for here */
    POLICY_RELAY,  /* taken: for elsewhere */
    POLICY_DENIED, /* 554 5.7.1 */
    POLICY_UNKNOWN /* 451 4.3.0: a source is away */
};

enum policy_verdict policy_recipient(struct hosting_view *v, const struct policy_client *client,
                                     struct slice domain) TG_NONNULL(1);

/* -1 (EX_CONFIG) where the settings make an open relay: networks of clients inside that hold a
 * large part of the Internet, alone or together. */
int policy_check(const struct settings *s, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
