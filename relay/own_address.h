#ifndef TG_RELAY_OWN_ADDRESS_H
#define TG_RELAY_OWN_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "lib/core/contract.h"

/*
 * The addresses at which this relay accepts mail, so that mail for a domain whose MX is one of them
 * is recognised as a loop. A listener on the unspecified address has all addresses of the machine.
 *
 * Threads: add from one, before the others start; the rest from any.
 */

#define OWN_ADDRESSES_MAX 100

struct own_addresses {
    struct sockaddr_storage list[OWN_ADDRESSES_MAX];
    size_t count;
};

/* The address of a listening socket; those beyond the limit are ignored. */
void own_address_add(struct own_addresses *o, int listener) TG_NONNULL(1);

/* Whether mail must not be sent to this address and port because DNS names it: one of the relay's
 * own; the unspecified address; or, at the SMTP port 25, a loopback address, which for whoever
 * wrote that record is not this machine. Other ports are those of tests. */
bool own_address_is(const struct own_addresses *o, const struct sockaddr_storage *address)
    TG_NONNULL(1, 2);

#endif
