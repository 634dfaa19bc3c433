#ifndef TG_SYS_SOCKET_NAME_H
#define TG_SYS_SOCKET_NAME_H

#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * An address to listen on or connect to, parsed:
 *
 *     unix:/path (or local:/path)     inet:port@host     inet:host:port     (and with inet6:)
 *
 * A host may stand in brackets, and must in host:port where it holds colons. Only syntax; nothing
 * is looked up.  Owner: the arena given.  Errors: EX_CONFIG, with the fix.
 */

struct socket_name {
    enum { SOCKET_UNIX, SOCKET_INET, SOCKET_INET6 } family;
    const char *path; /* SOCKET_UNIX: absolute, short enough for sun_path */
    const char *host; /* without brackets */
    uint16_t port;
};

int socket_name_parse(struct slice text, struct arena *arena, struct socket_name *out,
                      struct err *err) TG_MUST_USE;
/* `host:port` alone, as for SMTP servers: `127.0.0.1:25`, `[::1]:25`, `mx.example.com:25`. */
int socket_name_host_port_parse(struct slice text, struct arena *arena, struct socket_name *out,
                                struct err *err) TG_MUST_USE;

#endif
