#include "collect/mail_text.h"

#include <string.h>

#include "lib/core/networks.h"

#define ID_SHORT_MIN 6
#define ID_LONG_MIN  10
#define ID_MAX       32

bool mail_text_starts(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len && memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

bool mail_text_take(struct slice *text, struct slice prefix)
{
    if (!mail_text_starts(*text, prefix))
        return false;
    *text = (struct slice){text->ptr + prefix.len, text->len - prefix.len};
    return true;
}

ptrdiff_t mail_text_find(struct slice text, struct slice what)
{
    const char *at = text.len == 0 ? NULL : memmem(text.ptr, text.len, what.ptr, what.len);

    return at == NULL ? -1 : at - text.ptr;
}

bool mail_text_has(struct slice text, struct slice what)
{
    return mail_text_find(text, what) >= 0;
}

bool mail_text_has_nocase(struct slice text, struct slice what)
{
    for (size_t i = 0; i + what.len <= text.len; i++) {
        if (slice_starts_nocase(slice_from(text, i), what))
            return true;
    }
    return false;
}

struct slice mail_text_after(struct slice text, struct slice what)
{
    ptrdiff_t at = mail_text_find(text, what);

    return at < 0 ? SLICE_NONE : slice_from(text, (size_t)at + what.len);
}

/* --- queue ids -------------------------------------------------------------------------------- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* The 52 characters of long ids: digits and letters but vowels. */
static bool is_long(char c)
{
    char l = slice_ascii_lower(c);

    return (c >= '0' && c <= '9') ||
           (l >= 'a' && l <= 'z' && l != 'a' && l != 'e' && l != 'i' && l != 'o' && l != 'u');
}

static size_t run(struct slice text, bool (*is_good)(char))
{
    size_t n = 0;

    while (n < text.len && is_good(text.ptr[n]))
        n++;
    return n;
}

struct slice mail_text_id_of(struct slice text)
{
    size_t hex = run(text, is_hex), all = run(text, is_long);

    if (hex >= ID_SHORT_MIN && hex <= ID_MAX && hex >= all)
        return slice_to(text, hex);
    if (all >= ID_LONG_MIN && all <= ID_MAX && slice_find(slice_to(text, all), 'z') > 0)
        return slice_to(text, all);
    return SLICE_NONE;
}

bool mail_text_id(struct slice *text, struct slice *id)
{
    struct slice rest = *text;

    *id = mail_text_id_of(rest);
    if (id->len == 0 && !mail_text_take(&rest, SLICE("NOQUEUE")))
        return false;
    rest = slice_from(rest, id->len);
    if (!mail_text_take(&rest, SLICE(": ")))
        return false;
    *text = rest;
    return true;
}

/* --- clients ---------------------------------------------------------------------------------- */

struct slice mail_text_address(struct slice client)
{
    ptrdiff_t from = slice_find(client, '['), to;
    struct slice rest;

    if (from < 0)
        return SLICE_NONE;
    rest = slice_from(client, (size_t)from + 1);
    to = slice_find(rest, ']');
    return to < 0 ? SLICE_NONE : slice_to(rest, (size_t)to);
}

struct slice mail_text_after_client(struct slice text)
{
    ptrdiff_t end = slice_find(text, ']');
    struct slice rest = end < 0 ? SLICE_NONE : slice_from(text, (size_t)end + 1);

    if (rest.len > 1 && rest.ptr[0] == ':' && rest.ptr[1] != ' ') { /* smtpd_client_port_logging */
        rest = slice_from(rest, 1);
        while (rest.len > 0 && rest.ptr[0] >= '0' && rest.ptr[0] <= '9')
            rest = slice_from(rest, 1);
    }
    return rest;
}

bool mail_text_is_loopback(struct slice address)
{
    static const uint8_t six[16] = {[15] = 1}, four[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    struct ip ip;

    return networks_ip_parse(address, &ip) &&
           (memcmp(ip.bytes, six, sizeof six) == 0 || memcmp(ip.bytes, four, sizeof four) == 0);
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || c == '_' || (c >= '0' && c <= '9');
}

/* Index of the '>' that closes a path, or -1: a quoted local part may hold another. */
static ptrdiff_t path_end(struct slice s)
{
    size_t i = 1;
    ptrdiff_t at;

    if (s.len > 1 && s.ptr[1] == '"') {
        for (i = 2; i < s.len && s.ptr[i] != '"'; i++)
            i += s.ptr[i] == '\\';
    }
    at = slice_find(slice_from(s, i), '>');
    if (at >= 0)
        return at + (ptrdiff_t)i;
    return i > 1 ? slice_find(s, '>') : -1;
}

static struct slice value_take(struct slice *rest, bool by_comma)
{
    struct slice s = *rest;
    ptrdiff_t end = s.len > 0 && s.ptr[0] == '<' ? path_end(s) : -1;

    if (end > 0) {
        *rest = slice_from(s, (size_t)end + 1);
        return (struct slice){s.ptr + 1, (size_t)end - 1};
    }
    end = by_comma ? mail_text_find(s, SLICE(", ")) : slice_find(s, ' ');
    *rest = end < 0 ? SLICE_NONE : slice_from(s, (size_t)end);
    return end < 0 ? s : slice_to(s, (size_t)end);
}

static void skip_separators(struct slice *s)
{
    while (s->len > 0 && (s->ptr[0] == ' ' || s->ptr[0] == ',' || s->ptr[0] == ';'))
        *s = slice_from(*s, 1);
}

bool mail_text_pair(struct slice *rest, bool by_comma, struct slice *name, struct slice *value)
{
    for (;;) {
        size_t len;

        skip_separators(rest);
        if (rest->len == 0)
            return false;
        len = run(*rest, is_name);
        if (len > 0 && len < rest->len && rest->ptr[len] == '=') {
            *name = slice_to(*rest, len);
            *rest = slice_from(*rest, len + 1);
            *value = value_take(rest, by_comma);
            return true;
        }
        (void)value_take(rest, by_comma); /* a word of another kind */
    }
}

/* "bounced (host ... said: 550 ...)", "expired, returned to sender" */
static void status_split(struct slice all, struct mail_delivery *d)
{
    size_t len = run(all, is_name);
    struct slice rest;

    while (len < all.len && all.ptr[len] == '-') /* force-expired */
        len += 1 + run(slice_from(all, len + 1), is_name);
    d->status = slice_to(all, len);
    rest = slice_trim(slice_from(all, len));
    if (rest.len >= 2 && rest.ptr[0] == '(' && rest.ptr[rest.len - 1] == ')')
        rest = (struct slice){rest.ptr + 1, rest.len - 2};
    d->text = rest;
}

static void delivery_note(struct mail_delivery *d, struct slice name, struct slice value)
{
    const struct {
        struct slice name;
        struct slice *to;
    } known[] = {{SLICE("to"), &d->to},
                 {SLICE("orig_to"), &d->orig_to},
                 {SLICE("relay"), &d->relay},
                 {SLICE("delays"), &d->delays},
                 {SLICE("dsn"), &d->dsn}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (slice_equal(known[i].name, name))
            *known[i].to = value;
    }
    if (slice_equal(name, SLICE("conn_use")) && !slice_number(value, &d->conn_use))
        d->conn_use = 0;
}

bool mail_text_delivery(struct slice text, struct mail_delivery *d)
{
    struct slice rest = text, name, value;

    *d = (struct mail_delivery){.conn_use = 0};
    if (!mail_text_starts(text, SLICE("to=")))
        return false;
    for (;;) {
        skip_separators(&rest);
        if (mail_text_take(&rest, SLICE("status="))) {
            status_split(rest, d);
            return true;
        }
        if (!mail_text_pair(&rest, true, &name, &value))
            return false;
        delivery_note(d, name, value);
    }
}

struct slice mail_text_daemon(const struct log_line *line)
{
    ptrdiff_t slash = slice_find_last(line->tag, '/');

    return slash < 0 ? line->tag : slice_from(line->tag, (size_t)slash + 1);
}
