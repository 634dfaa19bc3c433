#ifndef TG_CORE_WORLD_H
#define TG_CORE_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/address.h"
#include "lib/core/arena.h"
#include "lib/core/networks.h"
#include "lib/core/slice.h"
#include "lib/core/strmap.h"

/*
 * What classification knows of the site: hosted domains, forwarders, logins, networks. Built once
 * by one thread, then read by many and never changed; a reload builds another.
 *
 * Some sources cannot be listed but only asked (a socket map, an SQL table): then the world is
 * marked `domains_asked` and so on, and what it does not know itself becomes a question, whose
 * answer the caller brings (struct answers). The world itself does no I/O.
 *
 * Owner: world_new/world_free; all its memory in one arena.  Threads: read-only after building.
 */

enum out_bytes { OUT_BYTES_DESTINATION, OUT_BYTES_RECIPIENT, OUT_BYTES_MESSAGE };

struct world {
    struct arena arena;
    struct strmap
        domains; /* name -> struct slice * (owner), NULL: charged as it appears; ".x": wildcard */
    struct strmap owners;   /* each owner's name once: -> struct slice * */
    struct strmap forwards; /* "user@domain", "@domain" or "user" -> struct forward_targets * */
    struct strmap
        bare_forwards_domains; /* domains whose users an entry without @ names (alias_maps) */
    struct strmap logins;      /* login, lower case -> struct address * */
    struct strmap plans;       /* domain -> struct slice * (name of its plan) */
    struct networks host, customers;
    struct slice default_domain;          /* for addresses without a domain; empty: none */
    struct slice spam_header, spam_value; /* "X-Spam-Flag", "YES"; empty: no spam split */
    enum out_bytes out_bytes;
    bool users; /* count users too */
    bool domains_asked, forwards_asked, logins_asked, popauth_asked;
};

struct forward_targets {
    struct slice *list; /* addresses as written; `|command`, `/file`, `:include:file` are kept and
                           lead nowhere */
    size_t count;
};

struct world *world_new(size_t cap_bytes);
void world_free(struct world *w);

/* Building. All copy what they are given; names and addresses are made canonical here.
 * -1 with *err for what is no domain, address or network; err->code is EX_DATAERR then, or EX_OSERR
 * when memory is out. A name given twice: the later entry counts. */
int world_add_domain(struct world *w, struct slice name, struct slice owner,
                     struct err *err); /* owner may be empty */
int world_add_forward(struct world *w, struct slice key, struct slice target,
                      struct err *err); /* appends */
/* False for targets that are no addresses: a command, a file, a list in a file (aliases(5)). */
bool world_target_is_address(struct slice target);
/* `@example.org`, the same user at another domain (virtual(5)). */
bool world_target_is_domain(struct slice target);
int world_add_bare_forwards_domain(struct world *w, struct slice name, struct err *err);
int world_add_login(struct world *w, struct slice login, struct slice address, struct err *err);
int world_add_plan(struct world *w, struct slice domain, struct slice plan, struct err *err);
int world_add_network(struct world *w, struct networks *set, struct slice text, struct err *err);
int world_set_default_domain(struct world *w, struct slice name, struct err *err); /* empty: none */
int world_set_spam_header(struct world *w, struct slice name_and_value,
                          struct err *err); /* empty: none */

/* Bytes that it holds: its arena and its tables. */
size_t world_bytes(const struct world *w);

/* Questions and answers. */
enum question_kind { QUESTION_DOMAIN, QUESTION_FORWARD, QUESTION_LOGIN, QUESTION_POPAUTH };

struct question {
    enum question_kind kind;
    struct slice key; /* canonical domain; whole address in lower case; login in lower case; client
                         IP as text */
};

struct answer {
    bool found;
    struct slice owner;             /* DOMAIN: charged to (empty: the name itself) */
    struct forward_targets targets; /* FORWARD */
    struct slice login;             /* LOGIN: the address; POPAUTH: the login */
};

/* What has been asked and answered for one message, and what is still open. Arena-owned. */
struct answers {
    struct arena *arena;
    struct strmap known; /* kind letter + key -> struct answer *, NULL: open */
    struct question *open;
    size_t open_count, open_room;
    bool failed; /* the arena's cap was reached: nothing more can be asked */
};

void answers_init(struct answers *a, struct arena *arena);
void answers_fini(struct answers *a); /* frees the table; the rest is the arena's */
/* The answer, or NULL: then the question has been put among the open ones (once). */
const struct answer *answers_get(struct answers *a, enum question_kind kind, struct slice key);
/* The answer, if one was brought unasked; opens no question. */
const struct answer *answers_find(struct answers *a, enum question_kind kind, struct slice key);
/* Brings one answer (copied into the arena); a forwarder's may come unasked, as what an MTA showed.
 * The caller empties `open` (answers_none_open) when all are answered. */
int answers_put(struct answers *a, enum question_kind kind, struct slice key,
                const struct answer *answer);
void answers_none_open(struct answers *a);

/* Look-ups: from the world, else from the answers. `a` may be NULL where the world has nothing to
 * ask. */
enum lookup { LOOKUP_NO, LOOKUP_YES, LOOKUP_ASK, LOOKUP_FAILED /* the arena's cap is reached */ };

/* Hosted? An exact entry beats a wildcard, a longer wildcard a shorter one. *charged: the owner.
 * Where domains are asked, the question comes after the world's exact entries and before its
 * wildcards; its answer covers exact entries and wildcards of the source asked. */
enum lookup world_domain(const struct world *w, struct answers *a, struct slice domain,
                         struct slice *charged);
/* Targets of one forwarder, one level: tries user+ext@domain, user@domain, user (domains of
 * bare_forwards_domains), @domain, in this order. Where forwarders are asked, the question (one;
 * its answer covers all forms of the source asked) comes before the world's @domain. */
enum lookup world_forward(const struct world *w, struct answers *a, const struct address *address,
                          struct forward_targets *targets);
/* The login as an address: mapped, else itself where it is an address, else login@default_domain;
 * LOOKUP_NO where none of these gives one. */
enum lookup world_login(const struct world *w, struct answers *a, struct slice login,
                        struct arena *arena, struct address *address);

/* The name of the plan that the sources give a domain; empty: none. */
struct slice world_plan(const struct world *w, struct slice domain);

#endif
