#include "lib/sys/tls_context.h"

#include <openssl/err.h>
#include <sysexits.h>

SSL_CTX *tls_context_new(const SSL_METHOD *method, struct err *err)
{
    SSL_CTX *ctx;

    ERR_clear_error();
    ctx = SSL_CTX_new(method);
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        (void)err_set(err, EX_OSERR, "OpenSSL: cannot make a context");
        SSL_CTX_free(ctx);
        return NULL;
    }
    /* Renegotiation serves no purpose here, costs time, and would make a read write. */
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}
