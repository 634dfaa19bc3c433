#ifndef TG_SOURCES_RESOLVER_KEYS_H
#define TG_SOURCES_RESOLVER_KEYS_H

#include "lib/core/contract.h"
#include "lib/sources/lookup.h"
#include "lib/sources/postfix.h"

/*
 * Between the hosted set's questions and what the sources are asked: under which keys they may know
 * the answer, and what their values mean. In between a value is text as the cache keeps it: an
 * owner, targets with commas between, a login's address. Owner of all results: the arena given.
 */

enum key_form {
    FORM_NAME,      /* the key as it is: a domain of Postfix, a login */
    FORM_WILDCARDS, /* a domain: itself, then .parent, longest first */
    FORM_ADDRESS,   /* user+ext@domain, user@domain, @domain */
    FORM_VIRTUAL,   /* virtual(5): the same, and user where the domain is of mydestination */
    FORM_PATTERN,   /* a table of patterns in the place of virtual(5): the whole address alone */
    FORM_ALIAS,     /* aliases(5): user+ext, user, where the domain is of mydestination */
    FORM_POPAUTH,   /* the key of Redis */
};

/* What a Postfix directory says besides its tables. */
struct resolver_postfix {
    struct arena arena;
    struct postfix_config config;
    struct hosted *bare; /* its bare_forwards_domains alone */
};
void resolver_postfix_free(struct resolver_postfix *site);
struct resolver_postfix *resolver_postfix_new(const char *dir, struct err *err) TG_MUST_USE;

/* False: memory is out. Without a key (a domain that a table says nothing about) nothing is found.
 */
/* What the keys depend on besides the question. */
struct resolver_names {
    const char *prefix;      /* of the keys of Redis */
    struct slice delimiters; /* of extensions; a Postfix directory has its own */
};
bool resolver_keys_make(enum key_form form, const struct resolver_postfix *site,
                        const struct resolver_names *names, struct slice question,
                        struct arena *arena, struct lookup_keys *out);
/* Of a wildcard without an owner the value is the wildcard itself. */
bool resolver_value_read(enum key_form form, const struct resolver_postfix *site,
                         const struct lookup_keys *found, struct arena *arena, struct slice *out);
bool resolver_answer_read(enum question_kind kind, struct slice value, struct arena *arena,
                          struct answer *out);

#endif
