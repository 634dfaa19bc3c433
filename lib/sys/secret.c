#include "lib/sys/secret.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#define YESCRYPT_PREFIX "$y$"

static void add_hex(const unsigned char *bytes, char text[SECRET_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < (SECRET_TEXT - 1) / 2; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[SECRET_TEXT - 1] = '\0';
}

void secret_random(char text[SECRET_TEXT])
{
    unsigned char bytes[(SECRET_TEXT - 1) / 2];

    TG_ASSERT(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
    add_hex(bytes, text);
    OPENSSL_cleanse(bytes, sizeof bytes);
}

void secret_digest(struct slice bytes, char text[SECRET_TEXT])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    (void)SHA256((const unsigned char *)(bytes.len > 0 ? bytes.ptr : ""), bytes.len, digest);
    add_hex(digest, text);
}

void secret_sign(struct slice key, struct slice bytes, char text[SECRET_TEXT])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    unsigned len = sizeof digest;

    TG_ASSERT(HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)bytes.ptr, bytes.len,
                   digest, &len) != NULL);
    add_hex(digest, text);
}

bool secret_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

int secret_password_hash(const char *password, struct buf *out, struct err *err)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    char *salt = crypt_gensalt_ra(YESCRYPT_PREFIX, 0, NULL, 0);
    const char *hash = data == NULL || salt == NULL ? NULL : crypt_r(password, salt, data);
    int result = 0;

    if (hash == NULL || hash[0] == '*')
        result = err_set(err, EX_OSERR, "libcrypt cannot make a yescrypt hash");
    else
        buf_add_str(out, hash);
    free(salt);
    if (data != NULL)
        OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return result;
}

bool secret_password_matches(const char *password, const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *got = data == NULL ? NULL : crypt_r(password, hash, data);
    bool good = got != NULL && got[0] != '*' && secret_equal(slice_str(got), slice_str(hash));

    if (data != NULL)
        OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return good;
}

void secret_forget(void *bytes, size_t len)
{
    OPENSSL_cleanse(bytes, len);
}
