#include "lib/core/domain.h"

#include <idn2.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/byte_set.h"
#include "lib/core/utf8.h"

static int refuse(struct err *err, const char *why, struct slice text)
{
    return err_set(err, EX_DATAERR, "no domain: %s: '%.*s'", why, SLICE_FMT(slice_to(text, 200)));
}

static bool is_ascii(struct slice s)
{
    unsigned char all = 0;

    for (size_t i = 0; i < s.len; i++)
        all |= (unsigned char)s.ptr[i];
    return all < 0x80;
}

/* A name may become part of a key in the store: no byte that means something there. */
static const struct byte_set name_bytes = {
    {BYTE_SET_BIT('-') | BYTE_SET_BIT('.') | BYTE_SET_RUN('0', '9'),
     BYTE_SET_RUN('A', 'Z') | BYTE_SET_BIT('_') | BYTE_SET_RUN('a', 'z'), UINT64_MAX, UINT64_MAX}};

static const char *name_fault(struct slice s)
{
    if (s.len == 0)
        return "empty";
    if (s.len > DOMAIN_MAX_BYTES)
        return "longer than 255 bytes";
    for (size_t i = 0; i < s.len; i++) {
        if (!byte_set_has(&name_bytes, s.ptr[i]))
            return "a byte that no domain has";
        if (s.ptr[i] == '.' && (i == 0 || i + 1 == s.len || s.ptr[i + 1] == '.'))
            return "an empty label";
    }
    return is_ascii(s) || utf8_valid(s) ? NULL : "not UTF-8";
}

/* The A-labels of a name, behind `dot` (which may be empty). False: IDNA refuses it. */
static bool idna_map(struct slice dot, struct slice name, struct arena *arena, struct slice *out)
{
    char text[DOMAIN_MAX_BYTES + 1], mapped[DOMAIN_MAX_BYTES + 2];
    uint8_t *found = NULL;
    struct slice labels;
    bool good;

    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    if (idn2_lookup_u8((const uint8_t *)text, &found, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
        IDN2_OK)
        return false;
    labels = slice_str((const char *)found);
    good = name_fault(labels) == NULL && is_ascii(labels);
    if (good) {
        memcpy(mapped, dot.ptr, dot.len);
        memcpy(mapped + dot.len, labels.ptr, labels.len);
        *out = arena_lower(arena, (struct slice){mapped, dot.len + labels.len});
    }
    idn2_free(found);
    return good;
}

int domain_canonical(struct slice text, struct arena *arena, struct slice *out, struct err *err)
{
    struct slice whole = text, dot, name;
    const char *fault;

    if (whole.len > 0 && whole.ptr[whole.len - 1] == '.')
        whole.len--;
    dot = slice_to(whole, whole.len > 0 && whole.ptr[0] == '.' ? 1 : 0);
    name = slice_from(whole, dot.len);
    fault = name_fault(name);
    if (fault != NULL)
        return refuse(err, fault, text);
    if (is_ascii(name))
        *out = arena_lower(arena, whole);
    else if (!idna_map(dot, name, arena, out))
        return refuse(err, "IDNA has no such name", text);
    return out->ptr == NULL ? err_set(err, EX_OSERR, "out of memory for a domain") : 0;
}
