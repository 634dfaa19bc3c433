#include "milter/envelope.h"

#include <string.h>
#include <sysexits.h>

/* Of a login, what is kept. */
enum { LOGIN_MAX_BYTES = 1024 };

/* Postfix has "$mail_name $mail_version", and the name is often changed; Sendmail has its version
 * alone. */
enum envelope_mta envelope_mta(struct slice version, bool smtp)
{
    ptrdiff_t blank = slice_find_last(version, ' ');
    struct slice number = slice_from(version, (size_t)(blank + 1));

    if (blank < 0 || number.len == 0 || number.ptr[0] < '0' || number.ptr[0] > '9')
        return MTA_OTHER;
    return smtp ? MTA_POSTFIX : MTA_POSTFIX_LOCAL;
}

/* A macro counts where it is an address on its own, with a domain: a refused recipient has a text
 * there. */
static bool take_macro(struct slice macro, struct arena *arena, struct address *out)
{
    struct err ignored;

    return macro.len > 0 && address_parse(macro, arena, out, &ignored) == 0 && out->local.len > 0 &&
           out->domain.len > 0;
}

int envelope_address(enum envelope_mta mta, struct slice path, struct slice macro,
                     struct arena *arena, struct address *out)
{
    struct err err;

    if (mta == MTA_POSTFIX && take_macro(macro, arena, out))
        return 0;
    if (address_parse(path, arena, out, &err) == 0)
        return 0;
    *out = address_unparsed();
    return err.code == EX_OSERR ? -1 : 0;
}

bool envelope_is_refused(const struct session_macros *macros)
{
    struct slice host = macros->rcpt_host, part;
    uint64_t number;
    int parts = 0;

    if (!slice_equal_nocase(macros->rcpt_mailer, SLICE("error")))
        return false;
    while (slice_cut(&host, '.', &part)) {
        if (!slice_number(part, &number))
            return false;
        parts++;
    }
    return parts == 3;
}

bool envelope_target(enum envelope_mta mta, const struct address *recipient,
                     const struct session_macros *macros, struct arena *arena, struct slice *target)
{
    struct address to;

    if (mta != MTA_OTHER || macros->rcpt_mailer.len == 0 || recipient->domain.len == 0 ||
        slice_equal_nocase(macros->rcpt_mailer, SLICE("local")) ||
        slice_equal_nocase(macros->rcpt_mailer, SLICE("error")) ||
        !take_macro(macros->rcpt_addr, arena, &to) || slice_equal(to.domain, recipient->domain))
        return false;
    *target = address_text(&to, arena);
    return target->ptr != NULL;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

struct slice envelope_login(enum envelope_mta mta, struct slice login, struct arena *arena)
{
    struct slice copy = arena_copy(arena, slice_to(login, LOGIN_MAX_BYTES));
    char *to;
    size_t len = 0;

    if (copy.ptr == NULL || mta != MTA_OTHER || slice_find(copy, '+') < 0 ||
        (to = arena_alloc(arena, copy.len)) == NULL)
        return copy;
    for (size_t i = 0; i < copy.len; i++) {
        int high = i + 2 < copy.len ? hex_digit(copy.ptr[i + 1]) : -1;
        int low = i + 2 < copy.len ? hex_digit(copy.ptr[i + 2]) : -1;

        if (copy.ptr[i] == '+' && high >= 0 && low >= 0) {
            to[len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            to[len++] = copy.ptr[i];
        }
    }
    return (struct slice){to, len};
}
