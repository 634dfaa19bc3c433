#include "lib/redis/transport_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "lib/core/arena.h"
#include "lib/sys/mutex.h"
#include "lib/sys/tls_context.h"

#define FILES 3 /* ca_file, cert_file, key_file */

MUTEX_NAME(tls_lock)

/* What a file was like when it was read. */
struct file_stamp {
    struct timespec changed;
    off_t size;
    ino_t inode;
};

struct stamps {
    struct file_stamp files[FILES];
};

struct transport_tls {
    struct arena arena;
    struct transport_tls_config config;
    BIO_METHOD *socket;
    atomic_size_t holders;
    struct mutex lock;
    SSL_CTX *context MUTEX_GUARDS(tls_lock);
    struct stamps stamps MUTEX_GUARDS(tls_lock); /* of the files of context */
};

/* --- a context ------------------------------------------------------------------------------- */

static int fail(struct err *err, const char *what, const char *file)
{
    unsigned long why = ERR_peek_error();
    const char *reason = why == 0                ? NULL
                         : ERR_SYSTEM_ERROR(why) ? strerror(ERR_GET_REASON(why))
                                                 : ERR_reason_error_string(why);

    return err_set(err, EX_CONFIG, "%s %s: %s; correct the file, or who may read it", what, file,
                   reason != NULL ? reason : "unknown reason");
}

static int load_authorities(SSL_CTX *ctx, const char *file, struct err *err)
{
    if (file[0] == '\0' ? SSL_CTX_set_default_verify_paths(ctx) == 1
                        : SSL_CTX_load_verify_locations(ctx, file, NULL) == 1)
        return 0;
    return fail(err, "store.tls.ca_file: cannot use the certificates in",
                file[0] == '\0' ? "the system's store" : file);
}

static int load_pair(SSL_CTX *ctx, const struct transport_tls_config *c, struct err *err)
{
    const char *key = c->key_file[0] != '\0' ? c->key_file : c->cert_file;

    if (c->cert_file[0] == '\0' && c->key_file[0] == '\0')
        return 0;
    if (c->cert_file[0] == '\0')
        return err_set(err, EX_CONFIG,
                       "store.tls.key_file has no certificate: set store.tls.cert_file");
    if (SSL_CTX_use_certificate_chain_file(ctx, c->cert_file) != 1)
        return fail(err, "store.tls.cert_file: cannot use the certificate in", c->cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return fail(err, "store.tls.key_file: cannot use the key in", key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return fail(err, "store.tls.key_file: not the key of the certificate:", key);
    return 0;
}

static SSL_CTX *context_new(const struct transport_tls_config *c, struct err *err)
{
    SSL_CTX *ctx = tls_context_new(TLS_client_method(), err);

    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (load_authorities(ctx, c->ca_file, err) == 0 && load_pair(ctx, c, err) == 0)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

/* --- the context in force -------------------------------------------------------------------- */

static void stamps_take(const struct transport_tls_config *c, struct stamps *s)
{
    const char *const paths[FILES] = {c->ca_file, c->cert_file, c->key_file};
    struct stat st;

    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < FILES; i++) {
        if (paths[i][0] == '\0' || stat(paths[i], &st) != 0)
            continue;
        s->files[i].changed = st.st_mtim;
        s->files[i].size = st.st_size;
        s->files[i].inode = st.st_ino;
    }
}

/* The one in force if it was made of these files; the caller frees its share. */
static SSL_CTX *context_current(struct transport_tls *t, const struct stamps *now)
{
    SSL_CTX *ctx = NULL;

    tls_lock_take(&t->lock);
    if (t->context != NULL && memcmp(&t->stamps, now, sizeof *now) == 0 &&
        SSL_CTX_up_ref(t->context) == 1)
        ctx = t->context;
    tls_lock_give(&t->lock);
    return ctx;
}

static SSL_CTX *context_renew(struct transport_tls *t, const struct stamps *now, struct err *err)
{
    SSL_CTX *ctx = context_new(&t->config, err), *old;

    if (ctx == NULL || SSL_CTX_up_ref(ctx) != 1)
        return ctx;
    tls_lock_take(&t->lock);
    old = t->context;
    t->context = ctx;
    t->stamps = *now;
    tls_lock_give(&t->lock);
    SSL_CTX_free(old);
    return ctx;
}

/* --- the socket below it --------------------------------------------------------------------- */

/* OpenSSL's own kind of a socket raises SIGPIPE where the other side is gone, which ends a program
 * that does not ignore it. */

static int socket_fd(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static int socket_write(BIO *bio, const char *bytes, int len)
{
    ssize_t n;

    BIO_clear_retry_flags(bio);
    n = send(socket_fd(bio), bytes, (size_t)len, MSG_NOSIGNAL);
    if (n <= 0 && BIO_sock_should_retry((int)n))
        BIO_set_retry_write(bio);
    return (int)n;
}

static int socket_read(BIO *bio, char *bytes, int room)
{
    ssize_t n;

    BIO_clear_retry_flags(bio);
    n = recv(socket_fd(bio), bytes, (size_t)room, 0);
    if (n < 0 && BIO_sock_should_retry((int)n))
        BIO_set_retry_read(bio);
    if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static long socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: /* nothing is kept back */
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static BIO_METHOD *socket_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOCKET, "socket without SIGPIPE");

    if (m != NULL && BIO_meth_set_write(m, socket_write) == 1 &&
        BIO_meth_set_read(m, socket_read) == 1 && BIO_meth_set_ctrl(m, socket_ctrl) == 1)
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* The descriptor stays the caller's. */
static bool set_socket(const struct transport_tls *t, SSL *ssl, int fd)
{
    BIO *bio = BIO_new(t->socket);

    if (bio == NULL)
        return false;
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return true;
}

/* --- making one ------------------------------------------------------------------------------ */

static const char *copied(struct transport_tls *t, const char *text)
{
    return arena_copy(&t->arena, slice_str(text)).ptr;
}

struct transport_tls *transport_tls_new(const struct transport_tls_config *config, struct err *err)
{
    struct transport_tls *t = calloc(1, sizeof *t);

    if (t == NULL) {
        (void)err_set(err, EX_OSERR, "TLS: out of memory");
        return NULL;
    }
    arena_init(&t->arena, 65536);
    mutex_init(&t->lock);
    t->holders = 1;
    t->config.ca_file = copied(t, config->ca_file);
    t->config.cert_file = copied(t, config->cert_file);
    t->config.key_file = copied(t, config->key_file);
    t->config.server_name = copied(t, config->server_name);
    t->socket = socket_method();
    if (t->socket != NULL && t->config.ca_file != NULL && t->config.cert_file != NULL &&
        t->config.key_file != NULL && t->config.server_name != NULL)
        return t;
    (void)err_set(err, EX_OSERR, "TLS: out of memory");
    transport_tls_free(t);
    return NULL;
}

struct transport_tls *transport_tls_share(struct transport_tls *t)
{
    if (t != NULL)
        t->holders++;
    return t;
}

void transport_tls_free(struct transport_tls *t) TG_NO_THREAD_SAFETY /* the last holder */
{
    if (t == NULL || --t->holders > 0)
        return;
    SSL_CTX_free(t->context);
    BIO_meth_free(t->socket);
    mutex_fini(&t->lock);
    arena_fini(&t->arena);
    free(t);
}

int transport_tls_check(const struct transport_tls_config *config, struct err *err)
{
    struct transport_tls *t = transport_tls_new(config, err);
    SSL_CTX *ctx = t == NULL ? NULL : context_new(&t->config, err);

    SSL_CTX_free(ctx);
    transport_tls_free(t);
    return ctx == NULL ? -1 : 0;
}

/* --- a session ------------------------------------------------------------------------------- */

static bool is_address(const char *name)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* The name that the certificate must have (RFC 6125); an address is compared with the certificate's
 * addresses, and has no SNI (RFC 6066 3). */
static bool expect_name(SSL *ssl, const char *name)
{
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

SSL *transport_tls_session(struct transport_tls *t, int fd, const char *host, struct err *err)
{
    const char *name = t->config.server_name[0] != '\0' ? t->config.server_name : host;
    struct stamps now;
    SSL_CTX *ctx;
    SSL *ssl;

    stamps_take(&t->config, &now);
    ctx = context_current(t, &now);
    if (ctx == NULL)
        ctx = context_renew(t, &now, err);
    if (ctx == NULL)
        return NULL;
    ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    if (ssl != NULL && expect_name(ssl, name) && set_socket(t, ssl, fd)) {
        SSL_set_connect_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    (void)err_set(err, EX_OSERR, "TLS: cannot make a session for %s", name);
    return NULL;
}

static int unverified(long why, struct err *err)
{
    const char *text = X509_verify_cert_error_string(why);

    if (why == X509_V_ERR_HOSTNAME_MISMATCH || why == X509_V_ERR_IP_ADDRESS_MISMATCH)
        return err_set(err, EX_UNAVAILABLE,
                       "TLS: the server's certificate has another name (%s): set "
                       "store.tls.server_name to the name that it has",
                       text);
    if (why == X509_V_ERR_CERT_HAS_EXPIRED || why == X509_V_ERR_CERT_NOT_YET_VALID)
        return err_set(err, EX_UNAVAILABLE,
                       "TLS: the server's certificate is not valid now (%s): renew it, or check "
                       "the clock",
                       text);
    return err_set(err, EX_UNAVAILABLE,
                   "TLS: the server's certificate is rejected (%s): set store.tls.ca_file to its "
                   "authority",
                   text);
}

int transport_tls_fault(SSL *ssl, int result, struct err *err)
{
    int kind = SSL_get_error(ssl, result), number = errno;
    unsigned long why = ERR_peek_error();
    const char *reason = why != 0 ? ERR_reason_error_string(why) : NULL;

    if (SSL_get_verify_result(ssl) != X509_V_OK)
        return unverified(SSL_get_verify_result(ssl), err);
    if (kind == SSL_ERROR_ZERO_RETURN || (kind == SSL_ERROR_SYSCALL && number == 0))
        return err_set(err, EX_UNAVAILABLE, "the server closed the connection");
    if (kind == SSL_ERROR_SYSCALL)
        return err_set(err, EX_UNAVAILABLE, "connection lost: %s", strerror(number));
    if (why != 0 && ERR_GET_REASON(why) == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED)
        return err_set(err, EX_UNAVAILABLE,
                       "TLS: the server asks for a client certificate: set store.tls.cert_file");
    return err_set(err, EX_UNAVAILABLE, "TLS: %s (is it a TLS port, with TLS 1.2 or later?)",
                   reason != NULL ? reason : "failed");
}
