/* Any bytes as a path, as a header field's value and as a domain: what is taken keeps what its
 * header promises. */
#include <stdint.h>
#include <string.h>

#include "lib/core/address.h"
#include "lib/core/err.h"
#include "lib/core/srs.h"
#include "lib/core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void domain_check(struct slice domain)
{
    TG_ASSERT(domain.len <= DOMAIN_MAX_BYTES + 1 && utf8_valid(domain));
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];

        TG_ASSERT((unsigned char)c > ' ' && c != 0x7f && c != '{' && c != '}' && c != '@');
        TG_ASSERT(c < 'A' || c > 'Z');
    }
}

/* Names of users go into keys and into blank-separated lists. */
static void user_check(struct slice user)
{
    TG_ASSERT(user.len < ADDRESS_TEXT_ROOM && utf8_valid(user));
    for (size_t i = 0; i < user.len; i++)
        TG_ASSERT((unsigned char)user.ptr[i] > ' ' && user.ptr[i] != 0x7f);
    TG_ASSERT(user.len == 0 || user.ptr[0] != '_' || slice_find(user, '@') > 0);
}

static void address_check(const struct address *a, struct arena *arena)
{
    struct slice text = address_text(a, arena), again;
    struct address same;

    domain_check(a->domain);
    user_check(address_user(a, arena));
    user_check(text);
    (void)srs_is(a->local);
    TG_ASSERT(address_is_null(a) == (text.len == 0));
    /* Its text is an address, and the text of that is the same: look-ups find what was stored. */
    TG_ASSERT(address_parse(text, arena, &same, NULL) == 0 || text.len > ADDRESS_MAX_BYTES);
    if (text.len > ADDRESS_MAX_BYTES)
        return;
    again = address_text(&same, arena);
    TG_ASSERT(slice_equal(text, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    struct arena arena;
    struct address a;
    struct slice domain, again;

    arena_init(&arena, 1 << 16);
    if (address_parse(input, &arena, &a, NULL) == 0)
        address_check(&a, &arena);
    if (address_parse_header(input, &arena, &a) == 0)
        address_check(&a, &arena);
    if (domain_canonical(input, &arena, &domain, NULL) == 0) {
        domain_check(domain);
        TG_ASSERT(domain.len > 0 && domain_canonical(domain, &arena, &again, NULL) == 0 &&
                  slice_equal(domain, again));
    }
    arena_fini(&arena);
    return 0;
}
