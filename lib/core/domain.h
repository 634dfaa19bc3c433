#ifndef TG_CORE_DOMAIN_H
#define TG_CORE_DOMAIN_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Domains as we compare them: lower-case A-labels (RFC 5890) without the trailing dot, so that the
 * U-label and the A-label of a name are one.
 *
 * Owner: the arena given.  Limits: 255 bytes.
 */

#define DOMAIN_MAX_BYTES 255

/* A domain in canonical form. -1 for what can be none: empty, blanks, control bytes, over-long, no
 * UTF-8, empty labels, ASCII other than letters, digits, `-`, `_`, address literals, and what IDNA
 * (RFC 5891, with the mapping of UTS 46) refuses, such as a name with U+2028. `.example.com` keeps
 * its leading dot. */
int domain_canonical(struct slice text, struct arena *arena, struct slice *out,
                     struct err *err) TG_MUST_USE;

#endif
