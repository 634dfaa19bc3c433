#ifndef TG_WEB_HTTP_LISTEN_H
#define TG_WEB_HTTP_LISTEN_H

#include <stddef.h>
#include <sys/stat.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * The sockets of web.listen: Unix sockets, or addresses. Without TLS (web.tls_cert_file) an address
 * that others reach is refused: passwords would travel in plain.
 *
 * A Unix socket is made under another name, given its group and mode, and put into place, so that
 * nobody connects before it has them. One that somebody serves is not taken from him.
 *
 * Owner: http_listen_close.  Errors: EX_CONFIG, EX_CANTCREAT, EX_TEMPFAIL (address in use).
 */

#define HTTP_LISTEN_MAX 8

struct http_listener {
    int fd;
    bool is_unix;
    char path[108]; /* "": none to remove */
    dev_t device;
    ino_t inode;
};

struct http_listen {
    struct http_listener list[HTTP_LISTEN_MAX];
    size_t count;
};

/* What an open would refuse without trying it. */
int http_listen_check(const struct settings *s, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* As the account that serves them. On failure nothing is left open. */
int http_listen_open(struct http_listen *l, const struct settings *s, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* Removes the Unix sockets from their folder too, where they are still ours. */
void http_listen_close(struct http_listen *l) TG_NONNULL(1);

#endif
