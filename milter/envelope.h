#ifndef TG_MILTER_ENVELOPE_H
#define TG_MILTER_ENVELOPE_H

#include <stdbool.h>

#include "lib/core/address.h"
#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "milter/session.h"

/*
 * Which address an MTA means: the argument of MAIL and RCPT is what the client typed, the macros
 * are what the MTA made of it, which differs between MTAs.
 *
 * Postfix's smtpd has canonical addresses in its macros (source routes, trailing dots, the percent
 * hack and missing domains are resolved, before any alias expansion). Its sendmail command sends
 * them as typed. Sendmail's macros are the result of its rule sets: without a domain for local
 * users, a forwarder's target for virtusertable entries; there the argument counts.
 *
 * Memory: the arena's; -1 is its cap.
 */

enum envelope_mta { MTA_OTHER, MTA_POSTFIX, MTA_POSTFIX_LOCAL };

/* By the macro v. */
enum envelope_mta envelope_mta(struct slice version, bool smtp);

/* Sender or recipient. A text that is not an address becomes a local part without a domain. */
int envelope_address(enum envelope_mta mta, struct slice path, struct slice macro,
                     struct arena *arena, struct address *out);

/* An MTA may show recipients that it has refused: mailer "error" and a bare enhanced code for the
 * host. (An alias recipient has mailer "error" too, with a text behind the code.) */
bool envelope_is_refused(const struct session_macros *macros) TG_NONNULL(1);

/* Sendmail tells where a virtusertable entry sends a recipient's mail: true, and that address,
 * where it goes to another domain by a mailer that leaves this host. */
bool envelope_target(enum envelope_mta mta, const struct address *recipient,
                     const struct session_macros *macros, struct arena *arena,
                     struct slice *target);

/* The login: Sendmail sends it in xtext (RFC 3461 4). */
struct slice envelope_login(enum envelope_mta mta, struct slice login, struct arena *arena);

#endif
