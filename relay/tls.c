#include "relay/tls.h"

#include <openssl/err.h>
#include <sysexits.h>

#include "lib/sys/tls_context.h"

static int fail(struct err *err, const char *what, const char *file)
{
    unsigned long why = ERR_peek_last_error();
    const char *reason = why == 0 ? NULL : ERR_reason_error_string(why);

    return err_set(err, EX_CONFIG, "%s %s: %s", what, file,
                   reason != NULL ? reason : "unknown reason");
}

static int load_pair(SSL_CTX *ctx, const struct settings *s, struct err *err)
{
    const char *cert = s->relay.tls_cert_file;
    const char *key = s->relay.tls_key_file[0] != '\0' ? s->relay.tls_key_file : cert;

    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return fail(err, "relay.tls_cert_file: cannot use the certificate", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return fail(err, "relay.tls_key_file: cannot use the key", key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return fail(err, "relay.tls_key_file: not the key of the certificate", key);
    return 0;
}

SSL_CTX *tls_server_new(const struct settings *s, struct err *err)
{
    SSL_CTX *ctx = tls_context_new(TLS_server_method(), err);

    if (ctx == NULL)
        return NULL;
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (load_pair(ctx, s, err) == 0)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static int load_roots(SSL_CTX *ctx, const char *file, struct err *err)
{
    ERR_clear_error();
    if (file[0] == '\0' ? SSL_CTX_set_default_verify_paths(ctx) == 1
                        : SSL_CTX_load_verify_locations(ctx, file, NULL) == 1)
        return 0;
    return fail(err, "relay.tls_ca_file: cannot use the certificates in",
                file[0] == '\0' ? "the system's store" : file);
}

SSL_CTX *tls_client_new(const struct settings *s, struct err *err)
{
    SSL_CTX *ctx = tls_context_new(TLS_client_method(), err);

    if (ctx == NULL || s->relay.tls_out != TLS_OUT_VERIFY)
        return ctx;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (load_roots(ctx, s->relay.tls_ca_file, err) == 0)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

SSL *tls_accept(SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);

    if (ssl != NULL)
        SSL_set_accept_state(ssl);
    return ssl;
}

SSL *tls_connect(SSL_CTX *ctx, const char *host)
{
    SSL *ssl = SSL_new(ctx);

    if (ssl == NULL)
        return NULL;
    SSL_set_connect_state(ssl);
    (void)SSL_set_tlsext_host_name(ssl, host);
    if (SSL_set1_host(ssl, host) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}
