#ifndef TG_RELAY_SASL_H
#define TG_RELAY_SASL_H

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The server's side of SASL PLAIN (RFC 4616) and LOGIN in an SMTP AUTH exchange (RFC 4954): from
 * base64 lines to a login and a password, which it does not check. Pure except for its memory,
 * which is wiped when freed.
 */

#define SASL_LINE_MAX_BYTES 12290 /* RFC 4954 4, with CRLF */

enum sasl_step { SASL_CHALLENGE, SASL_DONE, SASL_CANCELLED, SASL_BAD };

struct sasl;

void sasl_free(struct sasl *s); /* wipes the password; NULL is fine */
struct sasl *sasl_new(struct slice mechanism) TG_FREED_BY(sasl_free); /* NULL: not offered */

/* The rest of the AUTH command: an initial response, `=`, or nothing. */
enum sasl_step sasl_start(struct sasl *s, struct slice initial) TG_NONNULL(1);
/* A line of the client. */
enum sasl_step sasl_take(struct sasl *s, struct slice line) TG_NONNULL(1);

const char *sasl_challenge(const struct sasl *s) TG_NONNULL(1); /* base64; may be empty */
struct slice sasl_mechanism(const struct sasl *s) TG_NONNULL(1);
struct slice sasl_login(const struct sasl *s) TG_NONNULL(1);
struct slice sasl_password(const struct sasl *s) TG_NONNULL(1);

#endif
