#ifndef TG_RELAY_TLS_H
#define TG_RELAY_TLS_H

#include <openssl/ssl.h>

#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * TLS by OpenSSL, 1.2 and later. Contexts are made once and then shared by all threads.
 *
 * Errors: EX_CONFIG for a certificate or key that cannot be used, with OpenSSL's reason.
 */

/* For clients of the relay; needs relay.tls_cert_file. */
SSL_CTX *tls_server_new(const struct settings *s, struct err *err);
/* For servers that the relay delivers to. Certificates are checked only if relay.tls_out is
 * "verify". */
SSL_CTX *tls_client_new(const struct settings *s, struct err *err);

/* A session, for stream_tls. NULL: out of memory. */
SSL *tls_accept(SSL_CTX *ctx);
/* `host`: the name for SNI and, if certificates are checked, the name that the certificate must
 * have. */
SSL *tls_connect(SSL_CTX *ctx, const char *host);

#endif
