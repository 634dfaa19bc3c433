#ifndef TG_CORE_STORE_URL_H
#define TG_CORE_STORE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * store.url taken apart, the one place that knows its forms:
 *
 *     private:
 *     unix://[username:password@]/path/of/socket[?db=N]
 *     redis://[username:password@]host[:port][/db]        (an IPv6 literal in brackets)
 *     sentinel://[username:password@]host[:port],.../name[/db]
 *     cluster://[username:password@]host[:port],...
 *
 * and with TLS to every server named or learned: rediss://, rediss+sentinel://, rediss+cluster://.
 *
 * Username, password and path may hold %HH (RFC 3986 2.1); `:password@` alone is the default
 * user's.
 *
 * Owner: the arena given; slices made here also serve as C strings.  Errors: EX_CONFIG; the text
 * never holds the password.  Limits: STORE_URL_HOSTS_MAX hosts.
 */

#define STORE_URL_HOSTS_MAX 32

enum store_scheme { STORE_PRIVATE, STORE_UNIX, STORE_TCP, STORE_SENTINEL, STORE_CLUSTER };

struct store_host {
    struct slice host, port; /* port "6379", of a sentinel "26379", where none is given */
};

struct store_url {
    enum store_scheme scheme;
    bool tls;
    struct slice path;        /* STORE_UNIX */
    struct store_host *hosts; /* STORE_TCP (one), STORE_SENTINEL, STORE_CLUSTER */
    size_t host_count;
    struct slice master;             /* STORE_SENTINEL: the name that the sentinels know it by */
    struct slice username, password; /* empty: none */
    unsigned db;
};

int store_url_parse(struct slice text, struct arena *arena, struct store_url *out,
                    struct err *err) TG_MUST_USE;

/* The URL as it may be shown: its password, if it has one, as `***`. */
struct slice store_url_masked(struct slice text, struct arena *arena);

#endif
