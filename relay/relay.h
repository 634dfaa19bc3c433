#ifndef TG_RELAY_RELAY_H
#define TG_RELAY_RELAY_H

#include <openssl/ssl.h>

#include "lib/sys/settings.h"
#include "relay/auth.h"
#include "relay/hosting.h"
#include "relay/own_address.h"
#include "relay/queue.h"

/*
 * What all threads of tollgate-relay share. It is filled in before the first thread starts; then
 * nothing in it changes except behind the functions of its parts.
 */

struct scheduler;

struct relay {
    const struct settings *settings;
    char hostname[256];
    char maildir_root[512];
    struct own_addresses own;
    struct hosting *hosting;
    struct queue queue;
    SSL_CTX *tls_server, *tls_client; /* tls_server is NULL if TLS is not offered */
    struct auth *auth;                /* NULL: nobody can log in */
    struct scheduler *scheduler;      /* NULL: nothing is delivered (tests) */
};

#endif
