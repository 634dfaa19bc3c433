#ifndef TG_CORE_HOSTED_H
#define TG_CORE_HOSTED_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/address.h"
#include "lib/core/answers.h"
#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/networks.h"
#include "lib/core/slice.h"
#include "lib/core/strmap.h"

/*
 * What classification knows of the site: hosted domains, forwarders, logins, networks. Built once
 * by one thread, then read by many and never changed; a reload builds another.
 *
 * Some sources cannot be listed but only asked (a socket map, an SQL table): then the hosted set is
 * marked `domains_asked` and so on, and what it does not know itself becomes a question, whose
 * answer the caller brings (struct answers). The hosted itself does no I/O.
 *
 * Owner: hosted_new/hosted_free; all its memory in one arena.  Threads: read-only after building.
 */

/* Copies that the MTA adds by itself: recipient_bcc_maps and sender_bcc_maps of Postfix. */
enum hosted_copy { HOSTED_COPY_RECIPIENT, HOSTED_COPY_SENDER, HOSTED_COPY_KINDS };

enum out_bytes { OUT_BYTES_DESTINATION, OUT_BYTES_RECIPIENT, OUT_BYTES_MESSAGE };

/* What one source gave, for the comparison with the next load. */
struct hosted_source {
    const char *list; /* the setting that names it: "hosted.domains" */
    struct slice name;
    size_t entries;
};

struct hosted {
    struct arena arena;
    struct strmap
        domains; /* name -> struct slice * (owner), NULL: charged as it appears; ".x": wildcard */
    struct strmap owners;   /* each owner's name once: -> struct slice * */
    struct strmap forwards; /* "user@domain", "@domain" or "user" -> struct forward_targets * */
    struct strmap copies[HOSTED_COPY_KINDS]; /* keys as of forwards -> struct address * */
    struct strmap
        bare_forwards_domains; /* domains whose users an entry without @ names (alias_maps) */
    struct strmap logins;      /* login, lower case -> struct address * */
    struct strmap plans;  /* domain, or "@customer:NAME" -> struct slice * (name of its plan) */
    struct strmap admins; /* the same -> struct slice * (address of its admin) */
    struct strmap customer_of;    /* domain or .domain -> struct slice * (customer) */
    struct strmap customer_names; /* each customer's name once: -> struct slice * */
    struct networks host, customers;
    /* Which bytes part an extension off: of users, and of addresses looked up among forwarders and
     * copies. */
    struct slice user_delimiters, forward_delimiters, copy_delimiters;
    struct slice default_domain;          /* for addresses without a domain; empty: none */
    struct slice spam_header, spam_value; /* "X-Spam-Flag", "YES"; empty: no spam split */
    struct hosted_source *sources;
    size_t source_count, source_room;
    /* May a name under the wildcard entry have an account of its own? NULL: any may. Threads: all.
     */
    bool (*name_has_account)(void *context, struct slice entry, struct slice name);
    void *names_context;
    enum out_bytes out_bytes;
    bool users; /* count users too */
    bool domains_asked, forwards_asked, logins_asked, popauth_asked;
    bool copies_asked[HOSTED_COPY_KINDS];
};

void hosted_free(struct hosted *w);
struct hosted *hosted_new(size_t cap_bytes) TG_FREED_BY(hosted_free);

/* Building. All copy what they are given; names and addresses are made canonical here.
 * -1 with *err for what is no domain, address or network; err->code is EX_DATAERR then, or EX_OSERR
 * when memory is out. A name given twice: the later entry counts. */
int hosted_add_domain(struct hosted *w, struct slice name, struct slice owner,
                      struct err *err) TG_MUST_USE TG_NONNULL(1); /* owner may be empty */
int hosted_add_forward(struct hosted *w, struct slice key, struct slice target,
                       struct err *err) TG_MUST_USE TG_NONNULL(1); /* appends */
/* `target` gets a copy of each message to, or from, the addresses of the key. */
int hosted_add_copy(struct hosted *w, enum hosted_copy kind, struct slice key, struct slice target,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* False for targets that are no addresses: a command, a file, a list in a file (aliases(5)). */
bool hosted_target_is_address(struct slice target);
/* `@example.org`, the same user at another domain (virtual(5)). */
bool hosted_target_is_domain(struct slice target);
int hosted_add_bare_forwards_domain(struct hosted *w, struct slice name,
                                    struct err *err) TG_MUST_USE TG_NONNULL(1);
int hosted_add_login(struct hosted *w, struct slice login, struct slice address,
                     struct err *err) TG_MUST_USE TG_NONNULL(1);
int hosted_add_plan(struct hosted *w, struct slice holder, struct slice plan,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Its admin is told how much of a limit is used: one address. */
int hosted_add_admin(struct hosted *w, struct slice holder, struct slice address,
                     struct err *err) TG_MUST_USE TG_NONNULL(1);
int hosted_add_customer(struct hosted *w, struct slice domain, struct slice customer,
                        struct err *err) TG_MUST_USE TG_NONNULL(1);
int hosted_add_network(struct hosted *w, struct networks *set, struct slice text,
                       struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Copies them. */
int hosted_set_delimiters(struct hosted *w, struct slice users, struct slice forwards,
                          struct err *err) TG_MUST_USE TG_NONNULL(1);
int hosted_set_copy_delimiters(struct hosted *w, struct slice delimiters,
                               struct err *err) TG_MUST_USE TG_NONNULL(1);
int hosted_set_default_domain(struct hosted *w, struct slice name, struct err *err) TG_MUST_USE
    TG_NONNULL(1); /* empty: none */
int hosted_set_spam_header(struct hosted *w, struct slice name_and_value,
                           struct err *err) TG_MUST_USE TG_NONNULL(1); /* empty: none */

/* Notes what a source gave; `list` is borrowed. */
int hosted_add_source(struct hosted *w, const char *list, struct slice name, size_t entries,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* Bytes that it holds: its arena and its tables. */
size_t hosted_bytes(const struct hosted *w) TG_NONNULL(1);

/* Look-ups: from the hosted set, else from the answers. `a` may be NULL where the hosted set has
 * nothing to ask. */
enum hosted_result {
    HOSTED_NO,
    HOSTED_YES,
    HOSTED_ASK,
    HOSTED_FAILED /* the arena's cap is reached */
};

/* Hosted? An exact entry beats a wildcard, a longer wildcard a shorter one. *charged: the owner; of
 * a name under a wildcard without one the name itself, or the entry without its dot. Where domains
 * are asked, the question comes after the hosted set's exact entries and before its wildcards; its
 * answer covers exact entries and wildcards of the source asked. */
enum hosted_result hosted_domain(const struct hosted *w, struct answers *a, struct slice domain,
                                 struct slice *charged) TG_NONNULL(1);
/* Can names that no entry lists be charged by themselves: under a wildcard without an owner, or of
 * a source that is asked? */
bool hosted_has_open_names(const struct hosted *w) TG_NONNULL(1);
/* Targets of one forwarder, one level: tries user+ext@domain, user@domain, user (domains of
 * bare_forwards_domains), @domain, in this order. Where forwarders are asked, the question (one;
 * its answer covers all forms of the source asked) comes before the hosted set's @domain. */
enum hosted_result hosted_forward(const struct hosted *w, struct answers *a,
                                  const struct address *address, struct forward_targets *targets)
    TG_NONNULL(1);
/* Who gets a copy of the mail to, or from, that address: found as forwarders are. HOSTED_NO also
 * where an answer is no address, HOSTED_FAILED where the arena's cap is reached. */
enum hosted_result hosted_copy(const struct hosted *w, struct answers *a, enum hosted_copy kind,
                               const struct address *address, struct arena *arena,
                               struct address *target) TG_NONNULL(1, 4, 5, 6);
/* The login as an address: mapped, else itself where it is an address, else login@default_domain;
 * HOSTED_NO where none of these gives one. */
enum hosted_result hosted_login(const struct hosted *w, struct answers *a, struct slice login,
                                struct arena *arena, struct address *address) TG_NONNULL(1);

/* The user's name in counters (address_user_by). Strangers make up SRS and BATV forms: they are one
 * user, or the address inside. Empty: the arena's cap is reached. */
struct slice hosted_user(const struct hosted *w, const struct address *a, struct arena *arena)
    TG_NONNULL(1, 2, 3);
/* The name of the plan that the sources give a holder (a domain, HOLDER_CUSTOMER and its name);
 * empty: none. */
struct slice hosted_plan(const struct hosted *w, struct slice holder) TG_NONNULL(1);
/* The address of the admin of a holder; empty: none is known. */
struct slice hosted_admin(const struct hosted *w, struct slice holder) TG_NONNULL(1);
/* The customer whose the account is; an exact entry beats a wildcard, a longer wildcard a shorter
 * one. Empty: none. */
struct slice hosted_customer(const struct hosted *w, struct slice account) TG_NONNULL(1);
/* A customer's name: letters (their case matters), digits and . _ - + @, at most
 * HOSTED_CUSTOMER_MAX bytes; a letter or digit first. */
#define HOSTED_CUSTOMER_MAX 64
bool hosted_customer_is_name(struct slice name);

#endif
