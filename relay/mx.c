#include "relay/mx.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "lib/sys/net.h"
#include "lib/sys/socket_name.h"

#define ANSWER_BYTES 65535
#define DNS_TIMEOUT  5 /* seconds a try */
#define DNS_TRIES    2

/* --- answers --------------------------------------------------------------------------------- */

/* In the order of preference; among equals a random place is enough. */
static void insert(struct mx_list *list, const struct mx_host *host)
{
    size_t i = list->count;

    if (list->count == MX_HOSTS_MAX && list->hosts[--i].preference <= host->preference)
        return;
    while (i > 0 &&
           (list->hosts[i - 1].preference > host->preference ||
            (list->hosts[i - 1].preference == host->preference && arc4random() % 2 == 0))) {
        list->hosts[i] = list->hosts[i - 1];
        i--;
    }
    list->hosts[i] = *host;
    if (list->count < MX_HOSTS_MAX)
        list->count++;
}

static int take_mx(const ns_msg *msg, const ns_rr *rr, struct arena *arena, struct mx_list *out)
{
    char name[NS_MAXDNAME];
    struct mx_host host = {.preference = 0};

    if (ns_rr_rdlen(*rr) < 3 ||
        ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), ns_rr_rdata(*rr) + NS_INT16SZ, name,
                           sizeof name) < 0)
        return -1;
    host.preference = ns_get16(ns_rr_rdata(*rr));
    host.name = arena_copy(arena, slice_str(strcmp(name, ".") == 0 ? "" : name)).ptr;
    if (host.name == NULL)
        return -1;
    insert(out, &host);
    return 0;
}

int mx_parse(struct slice answer, struct arena *arena, struct mx_list *out)
{
    ns_msg msg;

    out->count = 0;
    if (answer.len > ANSWER_BYTES ||
        ns_initparse((const unsigned char *)answer.ptr, (int)answer.len, &msg) != 0)
        return -1;
    for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
        ns_rr rr;

        if (ns_parserr(&msg, ns_s_an, i, &rr) != 0)
            return -1;
        if (ns_rr_type(rr) == ns_t_mx && take_mx(&msg, &rr, arena, out) != 0)
            return -1;
    }
    return (int)out->count;
}

static void add_address(struct mx_host *host, const ns_rr *rr, uint16_t port)
{
    struct sockaddr_storage *a = &host->addresses[host->address_count];
    struct sockaddr_in *v4 = (struct sockaddr_in *)a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;

    if (host->address_count == MX_ADDRESSES_MAX)
        return;
    *a = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (ns_rr_type(*rr) == ns_t_a && ns_rr_rdlen(*rr) == sizeof v4->sin_addr) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, ns_rr_rdata(*rr), sizeof v4->sin_addr);
    } else if (ns_rr_type(*rr) == ns_t_aaaa && ns_rr_rdlen(*rr) == sizeof v6->sin6_addr) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        memcpy(&v6->sin6_addr, ns_rr_rdata(*rr), sizeof v6->sin6_addr);
    }
    host->address_count += a->ss_family != AF_UNSPEC;
}

int mx_parse_addresses(struct slice answer, uint16_t port, struct mx_host *host)
{
    ns_msg msg;

    if (answer.len > ANSWER_BYTES ||
        ns_initparse((const unsigned char *)answer.ptr, (int)answer.len, &msg) != 0)
        return -1;
    for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
        ns_rr rr;

        if (ns_parserr(&msg, ns_s_an, i, &rr) != 0)
            return -1;
        add_address(host, &rr, port);
    }
    return 0;
}

/* --- questions ------------------------------------------------------------------------------- */

enum dns { DNS_ANSWER, DNS_NO_DATA, DNS_NO_NAME, DNS_LATER };

struct mx_lookup {
    struct __res_state state;
    unsigned char *answer;
    struct slice text;
};

static int use_resolver(struct mx_lookup *l, const char *resolver, struct arena *arena,
                        struct err *err)
{
    struct socket_name name;

    if (resolver[0] == '\0')
        return 0;
    if (socket_name_host_port_parse(slice_str(resolver), arena, &name, err) != 0)
        return -1;
    l->state.nsaddr_list[0].sin_family = AF_INET;
    l->state.nsaddr_list[0].sin_port = htons(name.port);
    if (inet_pton(AF_INET, name.host, &l->state.nsaddr_list[0].sin_addr) != 1)
        return err_set(err, EX_CONFIG, "relay.resolver: %s is no IPv4 address", name.host);
    l->state.nscount = 1;
    return 0;
}

static int lookup_init(struct mx_lookup *l, const char *resolver, struct arena *arena,
                       struct err *err)
{
    *l = (struct mx_lookup){.answer = malloc(ANSWER_BYTES)};
    if (l->answer == NULL || res_ninit(&l->state) != 0) {
        free(l->answer);
        return err_set(err, EX_OSERR, "451 4.4.3 The resolver cannot be set up");
    }
    l->state.retrans = DNS_TIMEOUT;
    l->state.retry = DNS_TRIES;
    if (use_resolver(l, resolver, arena, err) == 0)
        return 0;
    res_nclose(&l->state);
    free(l->answer);
    return -1;
}

static void lookup_fini(struct mx_lookup *l)
{
    res_nclose(&l->state);
    free(l->answer);
}

static enum dns ask(struct mx_lookup *l, const char *name, int type)
{
    int n = res_nquery(&l->state, name, ns_c_in, type, l->answer, ANSWER_BYTES);

    if (n > 0) {
        l->text = (struct slice){(const char *)l->answer, (size_t)n};
        return DNS_ANSWER;
    }
    if (l->state.res_h_errno == HOST_NOT_FOUND)
        return DNS_NO_NAME;
    return l->state.res_h_errno == NO_DATA ? DNS_NO_DATA : DNS_LATER;
}

static enum dns find_addresses(struct mx_lookup *l, struct mx_host *host, uint16_t port)
{
    enum dns v4 = ask(l, host->name, ns_t_a), v6;

    if (v4 == DNS_ANSWER && mx_parse_addresses(l->text, port, host) != 0)
        v4 = DNS_LATER;
    v6 = ask(l, host->name, ns_t_aaaa);
    if (v6 == DNS_ANSWER && mx_parse_addresses(l->text, port, host) != 0)
        v6 = DNS_LATER;
    if (host->address_count > 0)
        return DNS_ANSWER;
    return v4 == DNS_LATER || v6 == DNS_LATER ? DNS_LATER : v4 == DNS_ANSWER ? DNS_NO_DATA : v4;
}

/* --- the list -------------------------------------------------------------------------------- */

static enum mx_result never(struct err *err, const char *text, struct slice domain)
{
    (void)err_set(err, EX_NOHOST, "550 %s: %.*s", text, SLICE_FMT(domain));
    return MX_NEVER;
}

static enum mx_result later(struct err *err, struct slice domain)
{
    (void)err_set(err, EX_TEMPFAIL, "451 4.4.3 No answer from DNS for %.*s", SLICE_FMT(domain));
    return MX_LATER;
}

static enum mx_result loops_back(struct err *err, struct slice domain)
{
    return never(err, "5.4.6 Mail for this domain loops back to this server", domain);
}

static bool is_self(const struct mx_host *host, const struct mx_self *self)
{
    if (strcasecmp(host->name, self->hostname) == 0)
        return true;
    for (size_t i = 0; i < host->address_count; i++) {
        if (own_address_is(self->own, &host->addresses[i]))
            return true;
    }
    return false;
}

/* A host that is no better than the relay would send the message back. False: none is left. */
static bool cut_at_self(struct mx_list *list, const struct mx_self *self)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!is_self(&list->hosts[i], self))
            continue;
        while (i > 0 && list->hosts[i - 1].preference == list->hosts[i].preference)
            i--;
        list->count = i;
        return i > 0;
    }
    return true;
}

/* Fills in the addresses; hosts without any are left out. */
static enum dns find_all(struct mx_lookup *l, struct mx_list *list, uint16_t port)
{
    enum dns worst = DNS_NO_NAME;
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        enum dns d = find_addresses(l, &list->hosts[i], port);

        if (d == DNS_ANSWER)
            list->hosts[kept++] = list->hosts[i];
        else if (d == DNS_LATER)
            worst = DNS_LATER;
    }
    list->count = kept;
    return kept > 0 ? DNS_ANSWER : worst;
}

static enum mx_result find(struct mx_lookup *l, struct slice domain, const char *name,
                           const struct mx_self *self, uint16_t port, struct arena *arena,
                           struct mx_list *out, struct err *err)
{
    enum dns d = ask(l, name, ns_t_mx);
    bool implicit = false;

    if (d == DNS_LATER || (d == DNS_ANSWER && mx_parse(l->text, arena, out) < 0))
        return later(err, domain);
    if (d == DNS_NO_NAME)
        return never(err, "5.1.2 No such domain", domain);
    if (out->count == 1 && out->hosts[0].name[0] == '\0')
        return never(err, "5.1.10 The domain takes no mail (null MX)", domain);
    if (out->count == 0) {
        implicit = true;
        out->hosts[0] = (struct mx_host){.name = name};
        out->count = 1;
    }
    if (!cut_at_self(out, self))
        return loops_back(err, domain);
    d = find_all(l, out, port);
    if (d == DNS_ANSWER)
        return cut_at_self(out, self) ? MX_FOUND : loops_back(err, domain);
    if (d == DNS_LATER)
        return later(err, domain);
    return never(err,
                 implicit ? "5.1.2 The domain has neither MX nor address"
                          : "5.4.4 No MX of the domain has an address",
                 domain);
}

/* [192.0.2.1], [IPv6:2001:db8::1] */
static enum mx_result literal(struct slice domain, const struct mx_self *self, uint16_t port,
                              struct arena *arena, struct mx_list *out, struct err *err)
{
    struct slice text = {domain.ptr + 1, domain.len - 2};
    struct mx_host *host = &out->hosts[0];
    struct sockaddr_in *v4 = (struct sockaddr_in *)&host->addresses[0];
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&host->addresses[0];

    if (slice_starts_nocase(text, SLICE("IPv6:")))
        text = slice_from(text, 5);
    *host = (struct mx_host){.name = arena_copy(arena, text).ptr, .address_count = 1};
    if (host->name != NULL && inet_pton(AF_INET, host->name, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else if (host->name != NULL && inet_pton(AF_INET6, host->name, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
    } else {
        return never(err, "5.1.2 No such address", domain);
    }
    out->count = 1;
    return is_self(host, self) ? loops_back(err, domain) : MX_FOUND;
}

enum mx_result mx_find(struct slice domain, const char *resolver, const struct mx_self *self,
                       uint16_t port, struct arena *arena, struct mx_list *out, struct err *err)
{
    const char *name = arena_copy(arena, domain).ptr;
    struct mx_lookup l;
    enum mx_result result;

    out->count = 0;
    if (domain.len > 2 && domain.ptr[0] == '[')
        return literal(domain, self, port, arena, out, err);
    if (name == NULL)
        return later(err, domain);
    if (lookup_init(&l, resolver, arena, err) != 0)
        return MX_LATER;
    result = find(&l, domain, name, self, port, arena, out, err);
    lookup_fini(&l);
    return result;
}
