#include "collect/mail_key.h"

#include <string.h>

static void add(struct mail_key *k, struct slice s)
{
    size_t len = s.len < MAIL_KEY_PART ? s.len : MAIL_KEY_PART;

    if (len > 0)
        memcpy(k->bytes + k->len, s.ptr, len);
    k->len += len;
}

static void add_blank(struct mail_key *k)
{
    k->bytes[k->len++] = ' ';
}

static void add_number(struct mail_key *k, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    add(k, (struct slice){digits + at, sizeof digits - at});
}

static struct slice key(const struct mail_key *k)
{
    return (struct slice){k->bytes, k->len};
}

static void add_place(struct mail_key *k, const struct log_line *line)
{
    k->len = 0;
    add_number(k, line->source);
    add_blank(k);
    add(k, line->host);
    add_blank(k);
}

struct slice mail_key_named(struct mail_key *k, const struct log_line *line, struct slice what)
{
    add_place(k, line);
    add(k, line->tag);
    add_blank(k);
    add(k, what);
    return key(k);
}

struct slice mail_key_process(struct mail_key *k, const struct log_line *line)
{
    add_place(k, line);
    add(k, line->tag);
    add_blank(k);
    add_number(k, (uint64_t)line->pid);
    return key(k);
}

struct slice mail_key_message(struct mail_key *k, struct slice instance, struct slice id)
{
    k->len = 0;
    add(k, instance);
    add_blank(k);
    add(k, id);
    return key(k);
}

struct slice mail_key_id(struct slice s)
{
    return slice_from(s, (size_t)(slice_find_last(s, ' ') + 1));
}

struct slice mail_key_instance(struct slice s)
{
    ptrdiff_t at = slice_find_last(s, ' ');

    return at < 0 ? SLICE_NONE : slice_to(s, (size_t)at);
}

bool mail_key_is_from(struct slice s, unsigned source)
{
    uint64_t n;
    ptrdiff_t end = slice_find(s, ' ');

    return source == MAIL_KEY_ALL ||
           (end > 0 && slice_number(slice_to(s, (size_t)end), &n) && n == source);
}

bool mail_key_is_of(struct slice s, const struct log_line *line)
{
    struct mail_key k;
    struct slice place;

    add_place(&k, line);
    add(&k, line->instance);
    place = key(&k);
    return s.len > place.len && memcmp(s.ptr, place.ptr, place.len) == 0 &&
           (s.ptr[place.len] == '/' || s.ptr[place.len] == ' ');
}
