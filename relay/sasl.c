#include "relay/sasl.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define PART_MAX_BYTES 1024

struct sasl {
    const char *mechanism, *challenge;
    bool is_login;
    int step;
    char decoded[SASL_LINE_MAX_BYTES];
    char login[PART_MAX_BYTES], password[PART_MAX_BYTES];
    size_t login_len, password_len;
};

struct sasl *sasl_new(struct slice mechanism)
{
    bool plain = slice_equal_nocase(mechanism, SLICE("PLAIN"));
    bool login = slice_equal_nocase(mechanism, SLICE("LOGIN"));
    struct sasl *s = plain || login ? calloc(1, sizeof *s) : NULL;

    if (s == NULL)
        return NULL;
    s->mechanism = plain ? "PLAIN" : "LOGIN";
    s->challenge = "";
    s->is_login = login;
    return s;
}

void sasl_free(struct sasl *s)
{
    if (s == NULL)
        return;
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

/* -1: not base64. */
static ptrdiff_t decode(struct sasl *s, struct slice line)
{
    int len, padding = 0;

    if (line.len % 4 != 0 || line.len > sizeof s->decoded)
        return -1;
    while (padding < 2 && line.len > (size_t)padding &&
           line.ptr[line.len - 1 - (size_t)padding] == '=')
        padding++;
    if (line.len == 0)
        return 0;
    len = EVP_DecodeBlock((unsigned char *)s->decoded, (const unsigned char *)line.ptr,
                          (int)line.len);
    return len < padding ? -1 : (ptrdiff_t)(len - padding);
}

static bool keep(char *into, size_t *len, struct slice part)
{
    if (part.len == 0 || part.len > PART_MAX_BYTES || slice_find(part, '\0') >= 0)
        return false;
    memcpy(into, part.ptr, part.len);
    *len = part.len;
    return true;
}

/* [authzid] NUL authcid NUL passwd; an authzid that differs from the authcid is refused. */
static enum sasl_step take_plain(struct sasl *s, struct slice message)
{
    struct slice authzid, login;

    if (!slice_cut(&message, '\0', &authzid) || !slice_cut(&message, '\0', &login) ||
        message.ptr == NULL || (authzid.len > 0 && !slice_equal(authzid, login)))
        return SASL_BAD;
    return keep(s->login, &s->login_len, login) && keep(s->password, &s->password_len, message)
               ? SASL_DONE
               : SASL_BAD;
}

static enum sasl_step take_login(struct sasl *s, struct slice message)
{
    if (s->step++ == 0) {
        s->challenge = "UGFzc3dvcmQ6"; /* Password: */
        return keep(s->login, &s->login_len, message) ? SASL_CHALLENGE : SASL_BAD;
    }
    return keep(s->password, &s->password_len, message) ? SASL_DONE : SASL_BAD;
}

enum sasl_step sasl_take(struct sasl *s, struct slice line)
{
    ptrdiff_t len;

    if (slice_equal(line, SLICE("*")))
        return SASL_CANCELLED;
    len = decode(s, line);
    if (len < 0)
        return SASL_BAD;
    if (s->is_login)
        return take_login(s, (struct slice){s->decoded, (size_t)len});
    return take_plain(s, (struct slice){s->decoded, (size_t)len});
}

enum sasl_step sasl_start(struct sasl *s, struct slice initial)
{
    if (s->is_login)
        s->challenge = "VXNlcm5hbWU6"; /* Username: */
    if (initial.len == 0)
        return SASL_CHALLENGE;
    if (slice_equal(initial, SLICE("=")))
        initial = SLICE_NONE;
    return sasl_take(s, initial);
}

const char *sasl_challenge(const struct sasl *s)
{
    return s->challenge;
}

struct slice sasl_mechanism(const struct sasl *s)
{
    return slice_str(s->mechanism);
}

struct slice sasl_login(const struct sasl *s)
{
    return (struct slice){s->login, s->login_len};
}

struct slice sasl_password(const struct sasl *s)
{
    return (struct slice){s->password, s->password_len};
}
