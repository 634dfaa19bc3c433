#include "lib/sys/settings_check.h"

#include <ctype.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/address.h"
#include "lib/core/counters.h"
#include "lib/core/networks.h"
#include "lib/core/source_name.h"
#include "lib/core/store_url.h"
#include "lib/sys/clock.h"
#include "lib/sys/socket_name.h"

/* All bytes letters, digits (ASCII) or in `others`? */
static bool is_made_of(struct slice s, const char *others)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c == '\0' || c >= 0x80 || (isalnum(c) == 0 && strchr(others, c) == NULL))
            return false;
    }
    return true;
}

int settings_check_node(struct slice value, struct arena *arena, struct err *err)
{
    (void)arena;
    if (value.len <= 64 && is_made_of(value, "._-"))
        return 0;
    return err_set(err, EX_CONFIG,
                   "\"%.*s\" is not a valid node name: use letters, digits, \".\", \"_\" and "
                   "\"-\", 64 at most",
                   SLICE_FMT(value));
}

int settings_check_zone(struct slice value, struct arena *arena, struct err *err)
{
    (void)arena;
    return value.len == 0 ? 0 : clock_zone_check(value.ptr, err);
}

/* Part of an SMTP reply: RFC 5321 4.2, textstring without tabs. */
int settings_check_reply(struct slice value, struct arena *arena, struct err *err)
{
    (void)arena;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < ' ' || value.ptr[i] > '~')
            return err_set(err, EX_CONFIG,
                           "a reply has printable ASCII only: replace the byte at position %zu",
                           i + 1);
    }
    return 0;
}

int settings_check_path(struct slice value, struct arena *arena, struct err *err)
{
    (void)arena;
    if (value.len == 0 || value.ptr[0] == '/')
        return 0;
    return err_set(err, EX_CONFIG, "\"%.*s\" is not an absolute path: begin it with /",
                   SLICE_FMT(value));
}

int settings_check_account(struct slice value, struct arena *arena, struct err *err)
{
    (void)arena;
    if (value.len <= 64 && is_made_of(value, "._-$") && (value.len == 0 || value.ptr[0] != '-'))
        return 0;
    return err_set(err, EX_CONFIG,
                   "\"%.*s\" is not a valid account name: use one that `getent` lists",
                   SLICE_FMT(value));
}

int settings_check_socket(struct slice value, struct arena *arena, struct err *err)
{
    struct socket_name name;

    return socket_name_parse(value, arena, &name, err);
}

int settings_check_optional_socket(struct slice value, struct arena *arena, struct err *err)
{
    return value.len == 0 ? 0 : settings_check_socket(value, arena, err);
}

int settings_check_clamd(struct slice value, struct arena *arena, struct err *err)
{
    struct socket_name name;
    struct ip ip;

    if (value.len == 0)
        return 0;
    if (socket_name_parse(value, arena, &name, err) < 0)
        return -1;
    if (name.family == SOCKET_UNIX || networks_ip_parse(slice_str(name.host), &ip))
        return 0;
    return err_set(err, EX_CONFIG, "\"%s\" is a name, which is not looked up: write its IP address",
                   name.host);
}

int settings_check_engine(struct slice value, struct arena *arena, struct err *err)
{
    (void)arena;
    if (slice_equal(value, SLICE("libmilter")) || slice_equal(value, SLICE("native")))
        return 0;
    return err_set(err, EX_CONFIG, "unknown engine \"%.*s\": use \"native\" or \"libmilter\"",
                   SLICE_FMT(value));
}

int settings_check_url(struct slice value, struct arena *arena, struct err *err)
{
    struct store_url url;

    return store_url_parse(value, arena, &url, err);
}

int settings_check_prefix(struct slice value, struct arena *arena, struct err *err)
{
    (void)arena;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if (c <= ' ' || c > '~' || strchr("{}*?[]\\\"'", c) != NULL)
            return err_set(err, EX_CONFIG,
                           "\"%.*s\" is not a valid key prefix: remove blanks, braces, quotes and "
                           "* ? [ ] \\",
                           SLICE_FMT(value));
    }
    return 0;
}

int settings_check_word(struct slice value, struct arena *arena, struct err *err)
{
    (void)arena;
    if (slice_find(value, ' ') < 0)
        return 0;
    return err_set(err, EX_CONFIG, "\"%.*s\" contains a blank: remove it", SLICE_FMT(value));
}

int settings_check_source(struct slice value, struct arena *arena, struct err *err)
{
    struct source_name name;

    return source_name_parse(value, arena, &name, err);
}

int settings_check_log(struct slice value, struct arena *arena, struct err *err)
{
    (void)arena;
    if (slice_starts(value, SLICE("file:/")) || slice_starts(value, SLICE("journal:")))
        return 0;
    if (slice_starts(value, SLICE("file:")))
        return err_set(err, EX_CONFIG, "\"%.*s\" is no absolute path: write file:/var/log/mail.log",
                       SLICE_FMT(value));
    return err_set(err, EX_CONFIG,
                   "\"%.*s\" is neither a file nor the journal: write file:/var/log/mail.log, or "
                   "journal:",
                   SLICE_FMT(value));
}

int settings_check_login_source(struct slice value, struct arena *arena, struct err *err)
{
    struct source_name name;

    if (source_name_parse(value, arena, &name, err) != 0)
        return -1;
    if (name.kind != SOURCE_POSTFIX)
        return 0;
    return err_set(err, EX_CONFIG,
                   "a postfix: source has domains and forwards but no logins: use file:, redis: or "
                   "socketmap:");
}

int settings_check_listed_source(struct slice value, struct arena *arena, struct err *err)
{
    struct source_name name;

    if (source_name_parse(value, arena, &name, err) != 0)
        return -1;
    if (name.kind == SOURCE_FILE || name.kind == SOURCE_REDIS)
        return 0;
    return err_set(err, EX_CONFIG, "this list is read as a whole: use a file: or redis: source");
}

int settings_check_percent(struct slice value, struct arena *arena, struct err *err)
{
    uint64_t percent;

    (void)arena;
    if (slice_number(value, &percent) && percent >= 1 && percent <= 1000)
        return 0;
    return err_set(err, EX_CONFIG, "\"%.*s\" is no percentage: write a number from 1 to 1000",
                   SLICE_FMT(slice_to(value, 40)));
}

int settings_check_domain(struct slice value, struct arena *arena, struct err *err)
{
    struct slice domain;

    if (value.len == 0)
        return 0;
    if (domain_canonical(value, arena, &domain, err) == 0 && domain.ptr[0] != '.')
        return 0;
    return err_set(err, EX_CONFIG, "\"%.*s\" is not a domain: use one such as \"example.com\"",
                   SLICE_FMT(value));
}

int settings_check_network(struct slice value, struct arena *arena, struct err *err)
{
    struct network network;
    struct err why;

    (void)arena;
    if (network_parse(value, &network, &why) == 0)
        return 0;
    return err_set(
        err, EX_CONFIG,
        "\"%.*s\" is not a network: write it as \"192.0.2.0/24\", \"2001:db8::/32\" or a "
        "single address (%s)",
        SLICE_FMT(value), why.text);
}

/* RFC 5322 3.6.8: a field name is printable ASCII without the colon. */
int settings_check_counter(struct slice value, struct arena *arena, struct err *err)
{
    int id = counter_find(value);

    (void)arena;
    if (id < 0 || counter_filler((enum counter)id, false) == FILLER_NONE)
        return err_set(err, EX_CONFIG,
                       "\"%.*s\" is no counter of domains: tollgate-keys(7) lists them",
                       SLICE_FMT(slice_to(value, 60)));
    return 0;
}

int settings_check_target(struct slice value, struct arena *arena, struct err *err)
{
    static const char *const names[] = {"cloudevents", "plesk", "hostbill"};
    struct slice where = value, name;

    (void)arena;
    (void)slice_cut(&where, ':', &name);
    if (slice_equal(name, SLICE("command")) && slice_starts(where, SLICE("/")))
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_equal(name, slice_str(names[i])) &&
            (slice_starts(where, SLICE("https://")) || slice_starts(where, SLICE("http://"))))
            return 0;
    }
    return err_set(err, EX_CONFIG,
                   "\"%.*s\": write command:/path/of/a/program, or cloudevents:, plesk: or "
                   "hostbill: and an address such as https://billing.example.com/api",
                   SLICE_FMT(slice_to(value, 60)));
}

int settings_check_header(struct slice value, struct arena *arena, struct err *err)
{
    ptrdiff_t colon = slice_find(value, ':');

    (void)arena;
    if (value.len == 0)
        return 0;
    for (ptrdiff_t i = 0; i < colon; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~')
            colon = -1;
    }
    if (colon > 0 && slice_trim(slice_from(value, (size_t)colon + 1)).len > 0)
        return 0;
    return err_set(err, EX_CONFIG,
                   "\"%.*s\" is not a header field: write name and value as \"X-Spam-Flag: YES\"",
                   SLICE_FMT(value));
}

int settings_check_host_port(struct slice value, struct arena *arena, struct err *err)
{
    struct socket_name name;

    return value.len == 0 ? 0 : socket_name_host_port_parse(value, arena, &name, err);
}

int settings_check_relay_milter(struct slice value, struct arena *arena, struct err *err)
{
    return slice_equal(value, SLICE("tollgated")) ? 0 : settings_check_socket(value, arena, err);
}

int settings_check_address(struct slice value, struct arena *arena, struct err *err)
{
    struct address address;

    if (address_parse(value, arena, &address, err) == 0 && address.local.len > 0 &&
        address.domain.len > 0)
        return 0;
    return err_set(err, EX_CONFIG, "\"%.*s\" is not an address: write user@domain",
                   SLICE_FMT(value));
}
