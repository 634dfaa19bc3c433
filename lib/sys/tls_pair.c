#include "lib/sys/tls_pair.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sysexits.h>
#include <time.h>

#include "lib/sys/files.h"
#include "lib/sys/secret.h"

#define FILE_BYTES ((size_t)1 << 20)

void tls_pair_init(struct tls_pair *p)
{
    buf_init(&p->cert, FILE_BYTES);
    buf_init(&p->key, FILE_BYTES);
    p->until_s = 0;
}

static void forget(struct buf *b)
{
    if (b->len > 0)
        secret_forget(b->data, b->len);
    buf_fini(b);
}

void tls_pair_fini(struct tls_pair *p)
{
    forget(&p->cert); /* may hold the key, too */
    forget(&p->key);
}

/* --- reading --------------------------------------------------------------------------------- */

/* A key with a passphrase cannot be read by a daemon. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static X509 *read_certificate(const struct buf *b)
{
    BIO *in = BIO_new_mem_buf(b->data, (int)b->len);
    X509 *certificate = in != NULL ? PEM_read_bio_X509(in, NULL, no_passphrase, NULL) : NULL;

    BIO_free(in);
    return certificate;
}

static EVP_PKEY *read_key(const struct buf *b)
{
    BIO *in = BIO_new_mem_buf(b->data, (int)b->len);
    EVP_PKEY *key = in != NULL ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;

    BIO_free(in);
    return key;
}

static int read_file(const char *path, struct buf *b, struct err *err)
{
    if (file_read(path, b, err) != 0)
        return -1;
    return b->len > 0 ? 0 : err_set(err, EX_CONFIG, "%s: the file is empty", path);
}

/* --- checks ---------------------------------------------------------------------------------- */

static bool time_of(const ASN1_TIME *t, int64_t *unix_s)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *unix_s = timegm(&tm);
    return true;
}

static int check_time(struct tls_pair *p, const X509 *certificate, const char *path, int64_t now_s,
                      struct err *err)
{
    int64_t from_s;

    if (!time_of(X509_get0_notBefore(certificate), &from_s) ||
        !time_of(X509_get0_notAfter(certificate), &p->until_s))
        return err_set(err, EX_CONFIG, "%s: the times of the certificate cannot be read", path);
    if (now_s < from_s)
        return err_set(err, EX_CONFIG,
                       "%s: the certificate is not valid yet: check the clock, or use another one",
                       path);
    if (now_s >= p->until_s)
        return err_set(err, EX_CONFIG, "%s: the certificate has expired: renew it", path);
    return 0;
}

static int check(struct tls_pair *p, X509 *certificate, EVP_PKEY *key, const char *cert_file,
                 const char *key_file, int64_t now_s, struct err *err)
{
    if (certificate == NULL)
        return err_set(err, EX_CONFIG,
                       "%s: no certificate in it: use a PEM file, which has the line BEGIN "
                       "CERTIFICATE",
                       cert_file);
    if (key == NULL)
        return err_set(err, EX_CONFIG,
                       "%s: no key in it that needs no passphrase: use a PEM file, which has the "
                       "line BEGIN PRIVATE KEY",
                       key_file);
    if (X509_check_private_key(certificate, key) != 1)
        return err_set(err, EX_CONFIG, "%s: the key is not that of the certificate %s", key_file,
                       cert_file);
    return check_time(p, certificate, cert_file, now_s, err);
}

int tls_pair_load(struct tls_pair *p, const char *cert_file, const char *key_file, int64_t now_s,
                  struct err *err)
{
    X509 *certificate;
    EVP_PKEY *key;
    int result;

    key_file = key_file[0] != '\0' ? key_file : cert_file;
    if (read_file(cert_file, &p->cert, err) != 0 || read_file(key_file, &p->key, err) != 0)
        return -1;
    certificate = read_certificate(&p->cert);
    key = read_key(&p->key);
    result = check(p, certificate, key, cert_file, key_file, now_s, err);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return result;
}

bool tls_pair_equal(const struct tls_pair *a, const struct tls_pair *b)
{
    return slice_equal(buf_slice(&a->cert), buf_slice(&b->cert)) &&
           slice_equal(buf_slice(&a->key), buf_slice(&b->key));
}
