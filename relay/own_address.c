#include "relay/own_address.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#define SMTP_PORT 25

/* An address in one form: IPv4 as IPv4-mapped IPv6. */
struct point {
    struct in6_addr ip;
    uint16_t port;
};

static bool point_of(const struct sockaddr *address, struct point *out)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    *out = (struct point){.port = 0};
    if (address->sa_family == AF_INET) {
        out->ip.s6_addr[10] = out->ip.s6_addr[11] = 0xff;
        memcpy(&out->ip.s6_addr[12], &v4->sin_addr, sizeof v4->sin_addr);
        out->port = ntohs(v4->sin_port);
    } else if (address->sa_family == AF_INET6) {
        out->ip = v6->sin6_addr;
        out->port = ntohs(v6->sin6_port);
    }
    return address->sa_family == AF_INET || address->sa_family == AF_INET6;
}

static bool is_v4(const struct point *p)
{
    return IN6_IS_ADDR_V4MAPPED(&p->ip);
}

static bool is_unspecified(const struct point *p)
{
    static const uint8_t zero[4];

    return is_v4(p) ? memcmp(&p->ip.s6_addr[12], zero, sizeof zero) == 0
                    : IN6_IS_ADDR_UNSPECIFIED(&p->ip);
}

static bool is_loopback(const struct point *p)
{
    return is_v4(p) ? p->ip.s6_addr[12] == 127 : IN6_IS_ADDR_LOOPBACK(&p->ip);
}

static bool same_ip(const struct point *a, const struct point *b)
{
    return memcmp(&a->ip, &b->ip, sizeof a->ip) == 0;
}

/* Interfaces come and go, so they are read each time. */
static bool is_of_this_machine(const struct point *p)
{
    struct ifaddrs *list = NULL;
    bool found = is_loopback(p);
    struct point own;

    if (found || getifaddrs(&list) != 0)
        return found;
    for (const struct ifaddrs *i = list; i != NULL && !found; i = i->ifa_next)
        found = i->ifa_addr != NULL && point_of(i->ifa_addr, &own) && same_ip(&own, p);
    freeifaddrs(list);
    return found;
}

void own_address_add(struct own_addresses *o, int listener)
{
    socklen_t len = sizeof o->list[0];

    if (o->count < OWN_ADDRESSES_MAX &&
        getsockname(listener, (struct sockaddr *)&o->list[o->count], &len) == 0)
        o->count++;
}

bool own_address_is(const struct own_addresses *o, const struct sockaddr_storage *address)
{
    struct point to, own;

    if (!point_of((const struct sockaddr *)address, &to))
        return false;
    if (is_unspecified(&to) || (to.port == SMTP_PORT && is_loopback(&to)))
        return true;
    for (size_t i = 0; i < o->count; i++) {
        if (!point_of((const struct sockaddr *)&o->list[i], &own) || own.port != to.port)
            continue;
        if (same_ip(&own, &to) ||
            (is_unspecified(&own) && is_v4(&own) == is_v4(&to) && is_of_this_machine(&to)))
            return true;
    }
    return false;
}
