#include "relay/own_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "t/tap.h"

static struct sockaddr_storage address(const char *ip, uint16_t port)
{
    struct sockaddr_storage a = {.ss_family = strchr(ip, ':') != NULL ? AF_INET6 : AF_INET};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;

    if (a.ss_family == AF_INET) {
        v4->sin_port = htons(port);
        OK(inet_pton(AF_INET, ip, &v4->sin_addr) == 1, ip);
    } else {
        v6->sin6_port = htons(port);
        OK(inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1, ip);
    }
    return a;
}

/* One listener at that address; gives its port. */
static uint16_t listen_at(struct own_addresses *o, const char *ip)
{
    struct sockaddr_storage a = address(ip, 0);
    socklen_t len =
        a.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(a.ss_family, SOCK_STREAM, 0);

    OK(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 1) == 0, "listening");
    own_address_add(o, fd);
    len = sizeof a;
    (void)getsockname(fd, (struct sockaddr *)&a, &len);
    (void)close(fd);
    return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

static void is(const struct own_addresses *o, const char *ip, uint16_t port, bool want,
               const char *what)
{
    struct sockaddr_storage a = address(ip, port);

    OK(own_address_is(o, &a) == want, what);
}

static void test_one_address(void)
{
    struct own_addresses o = {.count = 0};
    uint16_t port = listen_at(&o, "127.0.0.9");

    is(&o, "127.0.0.9", port, true, "the listener");
    is(&o, "::ffff:127.0.0.9", port, true, "the same as an IPv4-mapped address");
    is(&o, "127.0.0.9", (uint16_t)(port - 1), false, "another port");
    is(&o, "127.0.0.8", port, false, "another address");
    is(&o, "192.0.2.1", port, false, "a server elsewhere");
    is(&o, "2001:db8::1", port, false, "by IPv6");
}

static void test_all_addresses(void)
{
    struct own_addresses o = {.count = 0};
    uint16_t port = listen_at(&o, "0.0.0.0");

    is(&o, "127.0.0.1", port, true, "a listener on 0.0.0.0 has each address of this machine");
    is(&o, "127.8.8.8", port, true, "all of 127.0.0.0/8, too");
    is(&o, "::1", port, false, "but not those of IPv6");
    is(&o, "192.0.2.1", port, false, "nor those of others");
}

static void test_loopback(void)
{
    struct own_addresses none = {.count = 0};
    static const char *const loopback[] = {"127.0.0.1", "127.255.1.2", "::1", "::ffff:127.0.0.1"};
    static const char *const unspecified[] = {"0.0.0.0", "::", "::ffff:0.0.0.0"};
    static const char *const elsewhere[] = {"192.0.2.1", "128.0.0.1", "126.1.1.1", "2001:db8::1"};

    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++) {
        is(&none, loopback[i], 25, true, "a loopback address at port 25");
        is(&none, loopback[i], 2525, false, "at another port");
    }
    for (size_t i = 0; i < sizeof unspecified / sizeof unspecified[0]; i++)
        is(&none, unspecified[i], 2525, true, "the unspecified address at any port");
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        is(&none, elsewhere[i], 25, false, "any other");
}

int main(void)
{
    test_one_address();
    test_all_addresses();
    test_loopback();
    return tap_done();
}
