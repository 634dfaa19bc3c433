#include "relay/policy.h"

#include <sysexits.h>

/* IPv4 networks in the mapped form have 96 bits in front. A network larger than a /8, or a /16 of
 * IPv6, is not one of customers. */
#define V4_BITS     96
#define V4_BITS_MIN (V4_BITS + 8)
#define V6_BITS_MIN 16
/* In units of a /8, 1/256 of all IPv4 addresses; the private networks together have less than 2. */
#define V4_PARTS_MAX 8

enum policy_verdict policy_recipient(struct hosting_view *v, const struct policy_client *client,
                                     struct slice domain)
{
    enum hosting_answer hosted = hosting_hosts(v, domain), popauth;
    struct arena arena;
    struct slice login;
    struct ip ip;

    if (hosted == HOSTING_YES)
        return POLICY_HOSTED;
    if (hosted == HOSTING_UNKNOWN)
        return POLICY_UNKNOWN;
    if (client->has_login || (networks_ip_parse(client->ip, &ip) && hosting_is_inside(v, &ip)))
        return POLICY_RELAY;
    arena_init(&arena, 4096);
    popauth = hosting_popauth(v, client->ip, &arena, &login);
    arena_fini(&arena);
    return popauth == HOSTING_YES ? POLICY_RELAY : POLICY_DENIED;
}

static bool is_v4(const struct network *n)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    for (size_t i = 0; i < sizeof mapped; i++) {
        if (n->base.bytes[i] != mapped[i])
            return false;
    }
    return n->bits >= V4_BITS;
}

static int check_list(const char *name, const struct string_list *list, double *v4_parts,
                      struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        struct network n;
        bool v4;

        if (network_parse(slice_str(list->items[i]), &n, err) != 0)
            return -1;
        v4 = is_v4(&n);
        if (n.bits < (v4 ? V4_BITS_MIN : V6_BITS_MIN))
            return err_set(err, EX_CONFIG,
                           "%s: with \"%s\" the relay would be open to strangers: name only "
                           "networks that are yours (at most a /8, or a /16 of IPv6)",
                           name, list->items[i]);
        if (v4)
            *v4_parts += 256.0 / (double)((uint64_t)1 << (n.bits - V4_BITS));
    }
    return 0;
}

int policy_check(const struct settings *s, struct err *err)
{
    double v4_parts = 0;

    if (check_list("networks.host", &s->networks.host, &v4_parts, err) != 0 ||
        check_list("networks.customers", &s->networks.customers, &v4_parts, err) != 0)
        return -1;
    if (v4_parts <= V4_PARTS_MAX)
        return 0;
    return err_set(
        err, EX_CONFIG,
        "networks.host and networks.customers hold a large part of the Internet "
        "together, which makes the relay an open one: name only networks that are yours");
}
