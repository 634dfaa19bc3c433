/* IP addresses and networks. */
#include "t/tap.h"

#include "lib/core/networks.h"
#include "t/random.h"

static const struct ip_case {
    const char *a, *b; /* the same address; b NULL: a is none */
} ips[] = {
    {"192.0.2.1", "::ffff:192.0.2.1"},
    {"192.0.2.1", "::ffff:c000:201"},
    {"IPv6:2001:db8::1", "2001:0DB8:0:0::1"},
    {"[2001:db8::1]", "2001:db8::1"},
    {"[IPv6:::1]", "::1"},
    {"fe80::1%eth0", "fe80::1"},
    {"", NULL},
    {"192.0.2", NULL},
    {"192.0.2.256", NULL},
    {"192.0.2.1 ", NULL},
    {"unknown", NULL},
    {"[]", NULL},
    {"IPv6:", NULL},
    {":::", NULL},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999", NULL},
    {"11111111111111111111111111111111111111111111111111", NULL},
};

static void test_ip(const struct ip_case *c)
{
    struct ip a, b;
    bool good = networks_ip_parse(slice_str(c->a), &a);

    if (c->b == NULL)
        OK(!good, c->a);
    else
        OK(good && networks_ip_parse(slice_str(c->b), &b) && memcmp(&a, &b, sizeof a) == 0, c->a);
}

static const struct network_case {
    const char *network, *in, *out; /* in NULL: refused */
} networks[] = {
    {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
    {"192.0.2.0/24", "::ffff:192.0.2.7", "::1"},
    {"192.0.2.7", "192.0.2.7", "192.0.2.6"},
    {"192.0.2.6/31", "192.0.2.7", "192.0.2.8"},
    {"0.0.0.0/0", "255.255.255.255", "::1"},
    {"::/0", "2001:db8::1", "192.0.2.1"},
    {"::ffff:0:0/96", "192.0.2.1", "::1"},
    {"2001:db8:c::/48", "2001:db8:c:ffff::1", "2001:db8:d::1"},
    {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
    {"[::1]/128", "::1", "::2"},
    {"IPv6:::1", "::1", "127.0.0.1"},
    {"127.0.0.0/8", "127.255.0.1", "128.0.0.1"},
    {"192.0.2.1/24", NULL, NULL},
    {"192.0.2.0/33", NULL, NULL},
    {"2001:db8::1/32", NULL, NULL},
    {"::/129", NULL, NULL},
    {"192.0.2.0/", NULL, NULL},
    {"192.0.2.0/-1", NULL, NULL},
    {"192.0.2.0/2x", NULL, NULL},
    {"example.com", NULL, NULL},
    {"", NULL, NULL},
};

static void test_network(const struct network_case *c)
{
    struct network n;
    struct networks set = {&n, 1};
    struct ip in, out;
    struct err err = {.text = ""};
    int result = network_parse(slice_str(c->network), &n, &err);

    if (c->in == NULL) {
        OK(result == -1 && strstr(err.text, c->network) != NULL, c->network);
        return;
    }
    OK(result == 0 && networks_ip_parse(slice_str(c->in), &in) && networks_contain(&set, &in),
       c->network);
    OK(networks_ip_parse(slice_str(c->out), &out) && !networks_contain(&set, &out),
       "and not what is beside it");
}

/* Bit by bit. */
static bool contains_slowly(const struct network *n, const struct ip *ip)
{
    for (unsigned i = 0; i < n->bits; i++) {
        if (((n->base.bytes[i / 8] ^ ip->bytes[i / 8]) & (0x80u >> (i % 8))) != 0)
            return false;
    }
    return true;
}

static void test_random(void)
{
    struct random_source r = {1};
    bool same = true, both[2] = {false, false};

    for (int i = 0; i < 20000; i++) {
        struct network n = {.bits = (uint8_t)random_below(&r, 129)};
        struct networks set = {&n, 1};
        struct ip ip;
        bool got;

        for (size_t j = 0; j < sizeof ip.bytes; j++)
            ip.bytes[j] = n.base.bytes[j] = (uint8_t)random_next(&r);
        ip.bytes[random_below(&r, 16)] ^= (uint8_t)(1u << random_below(&r, 8));
        got = networks_contain(&set, &ip);
        same = same && got == contains_slowly(&n, &ip);
        both[got] = true;
    }
    OK(same && both[0] && both[1], "as a comparison bit by bit has it");
}

static const struct client {
    const char *text;
    unsigned v6_prefix;
    const char *client, *plain;
} clients[] = {
    {"192.0.2.1", 64, "192.0.2.1", "192.0.2.1"},
    {"::ffff:192.0.2.1", 64, "192.0.2.1", "192.0.2.1"},
    {"::FFFF:C000:201", 56, "192.0.2.1", "192.0.2.1"},
    {"2001:DB8:7::1", 64, "2001:db8:7::/64", "2001:db8:7::1"},
    {"2001:db8:7:0:ffff::2", 64, "2001:db8:7::/64", "2001:db8:7:0:ffff::2"},
    {"2001:db8:7:1ff::1", 56, "2001:db8:7:100::/56", "2001:db8:7:1ff::1"},
    {"2001:db8::1", 128, "2001:db8::1", "2001:db8::1"},
    {"IPv6:2001:db8::1", 1, "::/1", "2001:db8::1"},
    {"fe80::1%eth0", 64, "fe80::/64", "fe80::1"},
    {"unknown", 64, "unknown", "unknown"},
    {"", 64, "", ""},
};

static void test_client(const struct client *c)
{
    char room[NETWORKS_TEXT_ROOM];

    IS_SLICE(networks_client_text(slice_str(c->text), c->v6_prefix, room), slice_str(c->client),
             c->text);
    IS_SLICE(networks_ip_text(slice_str(c->text), room), slice_str(c->plain), "and by itself");
}

int main(void)
{
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++)
        test_client(&clients[i]);
    for (size_t i = 0; i < sizeof ips / sizeof ips[0]; i++)
        test_ip(&ips[i]);
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++)
        test_network(&networks[i]);
    test_random();
    return tap_done();
}
