#ifndef TG_CORE_ADDRESS_H
#define TG_CORE_ADDRESS_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/domain.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Mail addresses as SMTP carries them (RFC 5321 4.1.2, RFC 6531) and as header fields do (RFC
 * 5322).
 *
 * Owner: the arena given.  Limits: a path of 1,024 bytes, a domain of 255.
 */

#define ADDRESS_MAX_BYTES 1024
/* Room for any address as text: each byte of the local part escaped, quotes, `@`, domain. */
#define ADDRESS_TEXT_ROOM (2 * ADDRESS_MAX_BYTES + DOMAIN_MAX_BYTES + 8)

struct address {
    struct slice local;  /* unquoted, case kept, UTF-8 as it came; empty: the null sender */
    struct slice domain; /* canonical; a literal keeps its brackets; empty: none was given */
};

/* A reverse or forward path, with or without angle brackets: a source route is cut (RFC
 * 5321 4.1.1.3, appendix C), quoted local parts and backslash pairs are resolved, a trailing dot of
 * the domain goes; the last `@` outside quotes parts the domain off; `user%domain@host` stays as it
 * is.
 * `<>` and the empty string are the null sender: both parts empty. Returns -1 for what is no path,
 * or has a domain that can be none (see domain_canonical). */
int address_parse(struct slice path, struct arena *arena, struct address *out,
                  struct err *err) TG_MUST_USE;

/* What stands for a path that address_parse refuses and the MTA accepted all the same: an address
 * that is never null and never hosted (RFC 2606 `invalid`), so that its message still counts. */
struct address address_unparsed(void);

/* The first address of a header field's value (RFC 5322 3.4): display names, comments and groups
 * are skipped; null if there is none. -1: the arena's cap is reached. */
int address_parse_header(struct slice value, struct arena *arena, struct address *out);

/* The user's name in counters: `local@domain`, lower case (ASCII), the extension (+tag) cut; quoted
 * where RFC 5321 requires it; valid UTF-8; never holds a blank or a control byte (such bytes become
 * `?`). Never begins with `_` where there is no domain, so that it is none of the reserved names.
 */
struct slice address_user(const struct address *a, struct arena *arena) TG_NONNULL(1);
/* The address without its extension: its local part up to the first of these delimiters (a set, as
 * Postfix's recipient_delimiter), which is not its first byte. With `-` among them, list names
 * (owner-list, list-request) are whole. */
struct address address_without_extension(const struct address *a, struct slice delimiters)
    TG_NONNULL(1);
/* address_user with other delimiters than `+`. */
struct slice address_user_by(const struct address *a, struct slice delimiters, struct arena *arena)
    TG_NONNULL(1);
/* The whole address for look-ups: as address_user, with the extension kept. */
struct slice address_text(const struct address *a, struct arena *arena) TG_NONNULL(1);

/* The same into a caller's room (ADDRESS_TEXT_ROOM is enough for what address_parse gave): the
 * length, or 0 where it does not fit. */
size_t address_write(const struct address *a, char *room, size_t size) TG_NONNULL(1);
/* The local part alone, as address_write has it. */
size_t address_write_local(const struct address *a, char *room, size_t size) TG_NONNULL(1);

bool address_is_null(const struct address *a) TG_NONNULL(1);

#endif
