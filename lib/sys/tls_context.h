#ifndef TG_SYS_TLS_CONTEXT_H
#define TG_SYS_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * An OpenSSL context as all our connections have it, of a client or a server: TLS 1.2 or later, no
 * renegotiation, fit for sockets that do not block.
 *
 * Owner: whoever asked; SSL_CTX_free.
 */

/* NULL: EX_OSERR. */
SSL_CTX *tls_context_new(const SSL_METHOD *method, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
