#ifndef TG_SYS_TLS_PAIR_H
#define TG_SYS_TLS_PAIR_H

#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * A server's certificate and its key, as PEM texts in memory, for whatever speaks TLS with them.
 *
 * Owner: tls_pair_init/tls_pair_fini, which overwrites the key.
 * Errors: EX_CONFIG for what is no pair, or is not valid now; EX_NOINPUT: a file cannot be read.
 */

struct tls_pair {
    struct buf cert, key;
    int64_t until_s; /* Unix time at which the certificate ends */
};

void tls_pair_init(struct tls_pair *p) TG_NONNULL(1);
void tls_pair_fini(struct tls_pair *p) TG_NONNULL(1);

/* Certificate with its chain; the key, which is with it where `key_file` is empty. The key has to
 * fit, and to need no passphrase; the certificate has to be valid at `now_s`. */
int tls_pair_load(struct tls_pair *p, const char *cert_file, const char *key_file, int64_t now_s,
                  struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
bool tls_pair_equal(const struct tls_pair *a, const struct tls_pair *b) TG_NONNULL(1, 2);

#endif
