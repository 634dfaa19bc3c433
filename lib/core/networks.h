#ifndef TG_CORE_NETWORKS_H
#define TG_CORE_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/* Sets of IP networks in CIDR form. IPv4-mapped IPv6 addresses (::ffff:192.0.2.1) and Postfix's
 * `IPv6:` prefix are taken as what they mean. Owner: the arena. */

struct ip {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct network {
    struct ip base;
    uint8_t bits; /* 0..128, of the mapped form */
};

struct networks {
    struct network *list;
    size_t count;
};

bool networks_ip_parse(struct slice text, struct ip *out);
/* The address in canonical form, an IPv4-mapped one as IPv4; what is no address as it is (at most
 * 45 bytes). */
#define NETWORKS_TEXT_ROOM 50
struct slice networks_ip_text(struct slice text, char room[NETWORKS_TEXT_ROOM]) TG_NONNULL(2);
/* The client that an address is of: an IPv4 address itself, of IPv6 the network of that prefix,
 * "2001:db8::/64" (an address itself for a prefix of 128). */
struct slice networks_client_text(struct slice text, unsigned v6_prefix,
                                  char room[NETWORKS_TEXT_ROOM]) TG_NONNULL(3);
/* `192.0.2.0/24`, `2001:db8::/32`, `[::1]/128` or a single address; host bits must be zero. */
int network_parse(struct slice text, struct network *out, struct err *err) TG_MUST_USE;
bool networks_contain(const struct networks *set, const struct ip *ip) TG_NONNULL(1);

#endif
