#ifndef TG_CORE_SOURCE_LINE_H
#define TG_CORE_SOURCE_LINE_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * One line of a list of domains, forwarders, logins, plans or customers, taken apart; what the
 * names in it are worth is looked at by the hosted set.  Pure; the slices point into the line.
 *
 *     # a comment, also after a blank
 *     example.com                       domains: name, and the owner it is charged to
 *     .example.net   example.com
 *     sales@example.com  a@x.org, b@y.org     forwards: address, and its targets
 *         c@z.org                       more of them, on a line that begins with a blank
 *     joe            joe@example.com    logins
 *     example.com    gold               plans: domain, and its plan
 *     example.com    admin@example.com  admins: domain, and the address of its admin
 *     example.com    4711               customers: domain, and its customer
 *
 * Blanks and commas inside double quotes are part of an address.
 */

enum source_use {
    SOURCE_DOMAINS,
    SOURCE_FORWARDS,
    SOURCE_LOGINS,
    SOURCE_PLANS,
    SOURCE_ADMINS,
    SOURCE_CUSTOMERS,
    SOURCE_COPIES /* of postfix: sources alone */
};

struct source_entry {
    struct slice key, value; /* value: owner (or empty), all targets, address, plan, customer,
                                 address of the admin */
};

/* What is left of a line without its comment and the blanks around it. */
struct slice source_line_content(struct slice line);
/* A line of forwarders that begins with a blank continues the one before (virtual(5)). */
bool source_line_continues(enum source_use use, struct slice line);

/* 1: an entry, 0: nothing on this line, -1: a bad line, *err says what it should be (EX_DATAERR).
 */
int source_line_parse(enum source_use use, struct slice line, struct source_entry *out,
                      struct err *err) TG_MUST_USE;

/* The next of a list of targets, separated by commas or blanks; false at the end. */
bool source_line_target_next(struct slice *rest, struct slice *target) TG_NONNULL(1);

/* The owner that a value names: the value where it has a dot, else none ("OK", "x", "1"). */
struct slice source_line_owner(struct slice value);

#endif
