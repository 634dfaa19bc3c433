#include "collect/smtp_out_relay.h"

#include "collect/mail_text.h"

/* "host[ip]:port" of a line, and what stands in the list: "host", "ip", "host:port", "[ip]:port"
 * or all of it. */
static bool is_relay(struct slice rule, struct slice relay, struct slice host, struct slice address)
{
    struct slice port = mail_text_after(relay, SLICE("]:"));
    struct slice name = rule;

    if (slice_equal(rule, relay))
        return true;
    if (port.len > 0 && rule.len > port.len + 1 &&
        slice_equal(slice_from(rule, rule.len - port.len), port) &&
        rule.ptr[rule.len - port.len - 1] == ':')
        name = slice_to(rule, rule.len - port.len - 1);
    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = (struct slice){name.ptr + 1, name.len - 2};
    return slice_equal_nocase(name, host) || slice_equal(name, address) ||
           slice_equal_nocase(rule, host) || slice_equal(rule, address);
}

bool smtp_out_relay_is_internal(const struct machine *m, struct slice relay)
{
    struct slice address = mail_text_address(relay);
    ptrdiff_t bracket = slice_find(relay, '[');
    struct slice host = bracket < 0 ? relay : slice_to(relay, (size_t)bracket);
    struct ip ip;

    if (!networks_ip_parse(address, &ip) || mail_text_is_loopback(address))
        return true;
    for (size_t i = 0; i < m->rules->internal_relays.count; i++) {
        if (is_relay(m->rules->internal_relays.list[i], relay, host, address))
            return true;
    }
    return false;
}
