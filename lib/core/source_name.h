#ifndef TG_CORE_SOURCE_NAME_H
#define TG_CORE_SOURCE_NAME_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * The name of a source of domains, forwarders or logins taken apart; the one place that knows the
 * forms:
 *
 *     file:PATH        redis:KEY        postfix:DIR
 *     socketmap:unix:PATH:NAME          socketmap:inet:HOST:PORT:NAME    (an IPv6 literal in
 * brackets)
 *
 * Paths are absolute.  Owner: the arena given; slices made here also serve as C strings.
 * Errors: EX_CONFIG, with the fix.
 */

enum source_kind { SOURCE_FILE, SOURCE_REDIS, SOURCE_POSTFIX, SOURCE_SOCKETMAP };

struct source_name {
    enum source_kind kind;
    struct slice path;       /* FILE, POSTFIX; SOCKETMAP on a Unix socket */
    struct slice key;        /* REDIS: the key; SOCKETMAP: the map's name */
    struct slice host, port; /* SOCKETMAP over TCP */
};

int source_name_parse(struct slice text, struct arena *arena, struct source_name *out,
                      struct err *err) TG_MUST_USE;

#endif
