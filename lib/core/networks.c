#include "lib/core/networks.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_mapped(const struct ip *ip)
{
    return memcmp(ip->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

bool networks_ip_parse(struct slice text, struct ip *out)
{
    char name[INET6_ADDRSTRLEN];
    ptrdiff_t zone;

    if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        text = (struct slice){text.ptr + 1, text.len - 2};
    if (slice_starts_nocase(text, SLICE("IPv6:")))
        text = slice_from(text, 5);
    zone = slice_find(text, '%'); /* RFC 4007 11: fe80::1%eth0 */
    if (zone >= 0)
        text = slice_to(text, (size_t)zone);
    if (text.len == 0 || text.len >= sizeof name || slice_find(text, '\0') >= 0)
        return false;
    memcpy(name, text.ptr, text.len);
    name[text.len] = '\0';
    if (inet_pton(AF_INET6, name, out->bytes) == 1)
        return true;
    memcpy(out->bytes, mapped_prefix, sizeof mapped_prefix);
    return inet_pton(AF_INET, name, out->bytes + 12) == 1;
}

/* Sets the bits behind the first `bits` to zero; true if they were. */
static bool host_bits_clear(struct ip *ip, unsigned bits)
{
    bool clear = true;

    for (unsigned i = bits; i < 128; i++) {
        uint8_t bit = (uint8_t)(0x80u >> (i % 8));

        if ((ip->bytes[i / 8] & bit) != 0)
            clear = false;
        ip->bytes[i / 8] = (uint8_t)(ip->bytes[i / 8] & ~bit);
    }
    return clear;
}

struct slice networks_ip_text(struct slice text, char room[NETWORKS_TEXT_ROOM])
{
    return networks_client_text(text, 128, room);
}

/* As inet_ntop(3) writes it, which goes through printf: on the way of each message. */
static struct slice v4_text(const unsigned char bytes[4], char room[NETWORKS_TEXT_ROOM])
{
    size_t len = 0;

    for (size_t i = 0; i < 4; i++) {
        char digits[SLICE_NUMBER_ROOM];
        struct slice number = slice_of_number(bytes[i], digits);

        if (i > 0)
            room[len++] = '.';
        memcpy(room + len, number.ptr, number.len);
        len += number.len;
    }
    return (struct slice){room, len};
}

struct slice networks_client_text(struct slice text, unsigned v6_prefix,
                                  char room[NETWORKS_TEXT_ROOM])
{
    struct ip ip;
    size_t len;

    if (!networks_ip_parse(text, &ip)) {
        len = text.len < INET6_ADDRSTRLEN ? text.len : INET6_ADDRSTRLEN - 1;
        memcpy(room, text.ptr != NULL ? text.ptr : "", len);
        return (struct slice){room, len};
    }
    if (is_mapped(&ip))
        return v4_text(ip.bytes + 12, room);
    (void)host_bits_clear(&ip, v6_prefix);
    (void)inet_ntop(AF_INET6, ip.bytes, room, NETWORKS_TEXT_ROOM);
    len = strlen(room);
    if (v6_prefix < 128)
        len += (size_t)snprintf(room + len, NETWORKS_TEXT_ROOM - len, "/%u", v6_prefix);
    return (struct slice){room, len};
}

int network_parse(struct slice text, struct network *out, struct err *err)
{
    ptrdiff_t slash = slice_find(text, '/');
    struct slice base = slash < 0 ? text : slice_to(text, (size_t)slash);
    bool is_v4 = slice_find(base, ':') < 0;
    uint64_t bits = is_v4 ? 32 : 128;

    if (!networks_ip_parse(base, &out->base))
        return err_set(err, EX_DATAERR,
                       "'%.*s' is not a network: write it as 192.0.2.0/24 or 2001:db8::/32",
                       SLICE_FMT(slice_to(text, 100)));
    if (slash >= 0 &&
        (!slice_number(slice_from(text, (size_t)slash + 1), &bits) || bits > (is_v4 ? 32 : 128)))
        return err_set(err, EX_DATAERR,
                       "'%.*s' is not a network: the prefix is a number of bits, at most %d",
                       SLICE_FMT(slice_to(text, 100)), is_v4 ? 32 : 128);
    out->bits = (uint8_t)(is_v4 ? bits + 96 : bits);
    if (!host_bits_clear(&out->base, out->bits))
        return err_set(err, EX_DATAERR,
                       "'%.*s' is not a network: there are bits set behind the prefix of %u bits",
                       SLICE_FMT(slice_to(text, 100)), (unsigned)bits);
    return 0;
}

static bool network_contains(const struct network *n, const struct ip *ip)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    if (memcmp(n->base.bytes, ip->bytes, whole) != 0)
        return false;
    return rest == 0 || ((n->base.bytes[whole] ^ ip->bytes[whole]) & mask) == 0;
}

bool networks_contain(const struct networks *set, const struct ip *ip)
{
    for (size_t i = 0; i < set->count; i++) {
        /* ::/0 and other wide IPv6 networks are not meant for the IPv4 addresses mapped into them.
         */
        if (is_mapped(ip) && set->list[i].bits < 96)
            continue;
        if (network_contains(&set->list[i], ip))
            return true;
    }
    return false;
}
