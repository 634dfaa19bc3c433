#ifndef TG_RELAY_MX_H
#define TG_RELAY_MX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Where the mail of a domain goes (RFC 5321 5.1): its MX hosts in the order of preference, equal
 * ones in any order; where it has no MX, the domain itself; nowhere, where it has a null MX (RFC
 * 7505). Addresses are A and AAAA records.
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

/* `domain`: canonical, or an address literal. `resolver`: "192.0.2.1:53"; "" for the system's.
 * `self`: our own name: where it is an MX, hosts of its preference and beyond are left out. */
enum mx_result mx_find(struct slice domain, const char *resolver, const char *self, uint16_t port,
                       struct arena *arena, struct mx_list *out, struct err *err) TG_MUST_USE;

/* Pure: the MX records of a DNS answer, in order; the number, or -1 for what is no answer. A null
 * MX is a host named "". */
int mx_parse(struct slice answer, struct arena *arena, struct mx_list *out);
/* The addresses of an answer (A or AAAA) added to the host's. */
int mx_parse_addresses(struct slice answer, uint16_t port, struct mx_host *host);

#endif
