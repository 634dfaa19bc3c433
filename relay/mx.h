#ifndef TG_RELAY_MX_H
#define TG_RELAY_MX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "relay/own_address.h"

/*
 * Where the mail of a domain goes (RFC 5321 5.1): to its MX hosts in the order of preference, equal
 * ones in any order; without MX to the domain itself; with a null MX (RFC 7505) nowhere. Addresses
 * are A and AAAA records. Where the relay itself is one of the hosts, by name or by address, hosts
 * of its preference and beyond are left out: from there the mail would come back.
 *
 * Owner: the arena given.  Threads: all.  Limits: 10 hosts, 8 addresses each, answers of 64 KB.
 */

#define MX_HOSTS_MAX     10
#define MX_ADDRESSES_MAX 8

struct mx_host {
    const char *name;
    unsigned preference;
    struct sockaddr_storage addresses[MX_ADDRESSES_MAX];
    size_t address_count;
};

struct mx_list {
    struct mx_host hosts[MX_HOSTS_MAX];
    size_t count;
};

enum mx_result {
    MX_FOUND, /* at least one address */
    MX_NEVER, /* err->text: "550 5.1.2 ..." */
    MX_LATER  /* err->text: "451 4.4.3 ..." */
};

/* The relay itself. */
struct mx_self {
    const char *hostname;
    const struct own_addresses *own;
};

/* `domain` is canonical, or an address literal. `resolver`: "192.0.2.1:53"; "" for the system's. */
enum mx_result mx_find(struct slice domain, const char *resolver, const struct mx_self *self,
                       uint16_t port, struct arena *arena, struct mx_list *out,
                       struct err *err) TG_MUST_USE TG_NONNULL(2, 3, 5, 6);

/* Pure: the MX records of a DNS answer, in order; their number, or -1 for a malformed answer. A
 * null MX is a host named "". */
int mx_parse(struct slice answer, struct arena *arena, struct mx_list *out);
/* Adds the addresses of an answer (A or AAAA) to the host's. */
int mx_parse_addresses(struct slice answer, uint16_t port, struct mx_host *host);

#endif
