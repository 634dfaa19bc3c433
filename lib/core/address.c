#include "lib/core/address.h"

#include <string.h>
#include <sysexits.h>

#include "lib/core/byte_set.h"
#include "lib/core/utf8.h"

struct address address_unparsed(void)
{
    return (struct address){.local = SLICE("?"), .domain = SLICE("invalid")};
}

bool address_is_null(const struct address *a)
{
    return a->local.len == 0 && a->domain.len == 0;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static int refuse(struct err *err, const char *why, struct slice path)
{
    return err_set(err, EX_DATAERR, "no mail address: %s: '%.*s'", why,
                   SLICE_FMT(slice_to(path, 200)));
}

/* `@one,@two:user@domain`: what stands before the colon is a source route. */
static bool route_cut(struct slice *s)
{
    bool in_literal = false;

    if (s->len == 0 || s->ptr[0] != '@')
        return true;
    for (size_t i = 0; i < s->len; i++) {
        if (s->ptr[i] == '[' || s->ptr[i] == ']')
            in_literal = s->ptr[i] == '[';
        else if (s->ptr[i] == ':' && !in_literal) {
            *s = slice_from(*s, i + 1);
            return true;
        }
    }
    return false;
}

/* Of an address: the rest is text, whatever stands around it. */
static const struct byte_set special_bytes = {
    {BYTE_SET_RUN(0, ' ') | BYTE_SET_BIT('"') | BYTE_SET_BIT('<') | BYTE_SET_BIT('>'),
     BYTE_SET_BIT('@') | BYTE_SET_BIT('\\') | BYTE_SET_BIT(0x7f), 0, 0}};

/* Finds the last `@` outside quotes (-1: none). False: blanks, brackets or control bytes outside
 * quotes, or an open end. */
static bool at_find(struct slice s, ptrdiff_t *at)
{
    bool quoted = false;

    *at = -1;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!byte_set_has(&special_bytes, c))
            continue;
        if (c == '"')
            quoted = !quoted;
        else if (c == '\\') {
            if (++i == s.len)
                return false;
        } else if (!quoted) {
            if (c != '@')
                return false;
            *at = (ptrdiff_t)i;
        }
    }
    return !quoted;
}

/* Quotes go, `\x` becomes x. */
static struct slice local_unquote(struct slice text, struct arena *arena)
{
    char *p;
    size_t len = 0;

    if (slice_find(text, '"') < 0 && slice_find(text, '\\') < 0)
        return arena_copy(arena, text);
    p = arena_alloc(arena, text.len + 1);
    if (p == NULL)
        return SLICE_NONE;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            continue;
        if (text.ptr[i] == '\\')
            i++;
        p[len++] = text.ptr[i];
    }
    return (struct slice){p, len};
}

static bool is_literal(struct slice domain)
{
    if (domain.len < 3 || domain.ptr[0] != '[' || domain.ptr[domain.len - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < domain.len; i++) {
        char c = domain.ptr[i];

        if ((unsigned char)c <= ' ' || (unsigned char)c >= 0x7f || strchr("[]\\@\"{}", c) != NULL)
            return false;
    }
    return true;
}

static int domain_take(struct slice text, struct arena *arena, struct address *out, struct err *err)
{
    if (text.len > 0 && text.ptr[0] == '.')
        return refuse(err, "a domain that begins with a dot", text);
    if (!is_literal(text))
        return domain_canonical(text, arena, &out->domain, err);
    if (text.len > DOMAIN_MAX_BYTES)
        return refuse(err, "an address literal that is too long", text);
    out->domain = arena_lower(arena, text);
    return out->domain.ptr == NULL ? err_set(err, EX_OSERR, "out of memory for an address") : 0;
}

int address_parse(struct slice path, struct arena *arena, struct address *out, struct err *err)
{
    struct slice s = slice_trim(path);
    ptrdiff_t at;

    *out = (struct address){SLICE_NONE, SLICE_NONE};
    if (s.len > 0 && s.ptr[0] == '<') {
        if (s.len < 2 || s.ptr[s.len - 1] != '>')
            return refuse(err, "'<' without '>'", path);
        s = slice_trim((struct slice){s.ptr + 1, s.len - 2});
    }
    if (s.len == 0)
        return 0;
    if (s.len > ADDRESS_MAX_BYTES)
        return refuse(err, "longer than 1024 bytes", path);
    if (!route_cut(&s) || s.len == 0)
        return refuse(err, "a source route without an address", path);
    if (!at_find(s, &at))
        return refuse(err, "a blank, bracket or control byte outside quotes, or an open quote",
                      path);
    out->local = local_unquote(slice_to(s, at < 0 ? s.len : (size_t)at), arena);
    if (out->local.ptr == NULL)
        return err_set(err, EX_OSERR, "out of memory for an address");
    if (out->local.len == 0 && at <= 0)
        return refuse(err, "nothing before the '@'", path);
    return at < 0 ? 0 : domain_take(slice_from(s, (size_t)at + 1), arena, out, err);
}

/* RFC 5321 4.1.2 Atom, with RFC 6531's UTF-8. */
static bool is_atext(char c)
{
    if ((unsigned char)c >= 0x80 || (c >= '0' && c <= '9'))
        return true;
    c = slice_ascii_lower(c);
    return (c >= 'a' && c <= 'z') || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_dot_string(struct slice s)
{
    bool after_dot = true;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '.' ? after_dot : !is_atext(s.ptr[i]))
            return false;
        after_dot = s.ptr[i] == '.';
    }
    return !after_dot;
}

/* Lower case, with `?` for blanks, control bytes and what is no UTF-8. */
static size_t clean(struct slice s, char *out)
{
    size_t at = 0;

    while (at < s.len) {
        size_t length = utf8_length(slice_from(s, at));
        char c = s.ptr[at];

        if (length > 1) {
            memcpy(out + at, s.ptr + at, length);
            at += length;
            continue;
        }
        out[at++] = length == 0 || c == ' ' || is_control(c) ? '?' : slice_ascii_lower(c);
    }
    return s.len;
}

/* Postfix's owner_request_special. */
static bool is_list_name(struct slice local)
{
    static const struct slice owner = {"owner-", 6}, request = {"-request", 8};

    return slice_starts_nocase(local, owner) ||
           (local.len > request.len &&
            slice_equal_nocase(slice_from(local, local.len - request.len), request));
}

struct address address_without_extension(const struct address *a, struct slice delimiters)
{
    struct address cut = *a;

    if (slice_find(delimiters, '-') >= 0 && is_list_name(a->local))
        return cut;
    for (size_t i = 1; i < a->local.len; i++)
        if (slice_find(delimiters, a->local.ptr[i]) >= 0) {
            cut.local = slice_to(a->local, i);
            break;
        }
    return cut;
}

size_t address_write_local(const struct address *a, char *room, size_t size)
{
    struct slice local = a->local;
    struct slice text = {room + local.len + 2, local.len};
    size_t len = 0;

    if (size < 2 * local.len + 2)
        return 0;
    /* Cleaned behind the place where the quoted form, which is at most twice as long, is written.
     */
    (void)clean(local, room + local.len + 2);
    if (is_dot_string(text)) {
        memmove(room, text.ptr, text.len);
        return text.len;
    }
    room[len++] = '"';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '"' || c == '\\')
            room[len++] = '\\';
        room[len++] = c;
    }
    room[len++] = '"';
    return len;
}

size_t address_write(const struct address *a, char *room, size_t size)
{
    size_t len;

    if (address_is_null(a) || size < 2 * a->local.len + 4 + a->domain.len)
        return 0;
    len = address_write_local(a, room, size);
    if (a->domain.len == 0) {
        if (room[0] == '_')
            room[0] = '?';
        return len;
    }
    room[len++] = '@';
    return len + clean(a->domain, room + len);
}

struct slice address_text(const struct address *a, struct arena *arena)
{
    char text[ADDRESS_TEXT_ROOM];
    size_t len = address_write(a, text, sizeof text);

    return arena_copy(arena, (struct slice){text, len});
}

struct slice address_user_by(const struct address *a, struct slice delimiters, struct arena *arena)
{
    struct address user = address_without_extension(a, delimiters);

    return address_text(&user, arena);
}

struct slice address_user(const struct address *a, struct arena *arena)
{
    return address_user_by(a, SLICE("+"), arena);
}
