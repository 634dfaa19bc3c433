#ifndef TG_REDIS_TRANSPORT_TLS_H
#define TG_REDIS_TRANSPORT_TLS_H

#include <openssl/ssl.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * What TLS connections to servers need: authorities, a client certificate, the name to be found in
 * the server's certificate. TLS 1.2 and later by OpenSSL; a server is always verified. Files are
 * read at the first connection and again when they have changed, so that a renewed certificate is
 * used without a restart.
 *
 * Owner: counted; each holder frees its share.  Threads: all; the lock guards the context in force
 * and is not held while files are read.  Errors: EX_CONFIG for a file that cannot be used,
 * EX_UNAVAILABLE for what a connection meets; the text names setting or reason.
 */

struct transport_tls;

/* C strings, copied. Empty or NULL: the system's authorities; no certificate; the key is in
 * cert_file; the host that is connected to. */
struct transport_tls_config {
    const char *ca_file, *cert_file, *key_file, *server_name;
};

struct transport_tls *transport_tls_new(const struct transport_tls_config *config, struct err *err)
    TG_NONNULL(1) TG_MUST_USE;
struct transport_tls *transport_tls_share(struct transport_tls *t);
void transport_tls_free(struct transport_tls *t);

/* Whether the files can be used; for a check of the configuration. */
int transport_tls_check(const struct transport_tls_config *config, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* A session over a socket that is connected to `host`; the caller frees it with SSL_free, before
 * its share of *t, and closes the socket. */
SSL *transport_tls_session(struct transport_tls *t, int fd, const char *host,
                           struct err *err) TG_MUST_USE TG_NONNULL(1, 3);

/* Why a call on the session failed (`result` is its result): fills *err and returns -1. errno has
 * to be as the call left it. */
int transport_tls_fault(SSL *ssl, int result, struct err *err) TG_NONNULL(1);

#endif
