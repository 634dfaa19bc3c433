#ifndef TG_CORE_ADDRESS_H
#define TG_CORE_ADDRESS_H

#include "lib/core/arena.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Mail addresses as SMTP carries them (RFC 5321 4.1.2, RFC 6531) and domains as we compare them:
 * lower-case A-labels (RFC 5890) without the trailing dot.
 *
 * Owner: the arena given.  Limits: a path of 1,024 bytes, a domain of 255.
 */

struct address {
    struct slice local;  /* unquoted, case kept, UTF-8 as it came; empty: the null sender */
    struct slice domain; /* canonical; a literal keeps its brackets; empty: none was given */
};

/* A reverse or forward path, with or without angle brackets: a source route is cut (RFC 5321 4.1.1.3,
 * appendix C), quoted local parts and backslash pairs are resolved, a trailing dot of the domain goes.
 * `<>` and the empty string are the null sender: both parts empty. Returns -1 for what is no path;
 * a domain that IDNA refuses is kept in ASCII lower case. */
int address_parse(struct slice path, struct arena *arena, struct address *out, struct err *err);

/* The first address of a header field's value (RFC 5322 3.4): display names, comments and groups are
 * passed over. -1 where there is none. */
int address_parse_header(struct slice value, struct arena *arena, struct address *out);

/* The user's name in counters: `local@domain`, lower case, the extension (+tag) cut; quoted where
 * RFC 5321 wants it; never holds a blank or a control byte (such bytes become `?`). */
struct slice address_user(const struct address *a, struct arena *arena);
/* The whole address for look-ups: as address_user, with the extension kept. */
struct slice address_text(const struct address *a, struct arena *arena);

bool address_is_null(const struct address *a);

/* A domain in canonical form. -1 for what can be none (empty, blanks, control bytes, over-long,
 * empty labels; address literals are refused too). `.example.com` keeps its leading dot. */
int domain_canonical(struct slice text, struct arena *arena, struct slice *out, struct err *err);

#endif
