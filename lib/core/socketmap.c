#include "lib/core/socketmap.h"

#include <sysexits.h>

#define LENGTH_DIGITS_MAX 9

void socketmap_request(struct buf *b, struct slice name, struct slice key)
{
    buf_addf(b, "%zu:", name.len + 1 + key.len);
    buf_add(b, name);
    buf_add_char(b, ' ');
    buf_add(b, key);
    buf_add_char(b, ',');
}

int socketmap_netstring_take(struct slice *s, size_t max, struct slice *out)
{
    ptrdiff_t colon = slice_find(slice_to(*s, LENGTH_DIGITS_MAX + 1), ':');
    struct slice digits = slice_to(*s, colon < 0 ? s->len : (size_t)colon), rest;
    uint64_t len = 0;

    if (digits.len > LENGTH_DIGITS_MAX || (s->len > 0 && !slice_number(digits, &len)) || len > max)
        return -1;
    if (colon < 0)
        return 0;
    rest = slice_from(*s, (size_t)colon + 1);
    if (rest.len <= len)
        return 0;
    if (rest.ptr[len] != ',')
        return -1;
    *out = slice_to(rest, len);
    *s = slice_from(rest, len + 1);
    return 1;
}

int socketmap_reply(struct slice reply, struct slice *value, struct err *err)
{
    struct slice rest = reply, status;

    (void)slice_cut(&rest, ' ', &status);
    if (slice_equal(status, SLICE("OK"))) {
        *value = slice_trim(rest);
        return 1;
    }
    if (slice_equal(status, SLICE("NOTFOUND")))
        return 0;
    if (slice_equal(status, SLICE("TEMP")) || slice_equal(status, SLICE("TIMEOUT")) ||
        slice_equal(status, SLICE("PERM")))
        return err_set(err, EX_TEMPFAIL, "it says %.*s", SLICE_FMT(slice_to(reply, 200)));
    return err_set(err, EX_UNAVAILABLE, "it does not speak the socketmap protocol");
}
