#ifndef TG_T_CORE_CLASSIFY_FIXTURE_H
#define TG_T_CORE_CLASSIFY_FIXTURE_H

#include "t/tap.h"

#include "lib/core/classify.h"

/* A small hosted, and mail of one recipient, for the tests of classification. */

static struct arena arena;
static struct hosted *w;

static inline void must(int result, const struct err *err)
{
    if (result != 0)
        OK(false, err->text);
}

static inline void add_domain(const char *name, const char *owner)
{
    struct err err;

    must(hosted_add_domain(w, slice_str(name), slice_str(owner), &err), &err);
}

static inline void add_forward(const char *key, const char *target)
{
    struct err err;

    must(hosted_add_forward(w, slice_str(key), slice_str(target), &err), &err);
}

static inline void add_copy(enum hosted_copy kind, const char *key, const char *target)
{
    struct err err;

    must(hosted_add_copy(w, kind, slice_str(key), slice_str(target), &err), &err);
}

static inline void hosted_begin(void)
{
    struct err err;

    w = hosted_new(4 << 20);
    add_domain("example.com", "");
    add_domain("example.org", "");
    add_domain("alias.example", "example.com");
    must(hosted_add_login(w, SLICE("jdoe"), SLICE("John+x@Example.com"), &err), &err);
    must(hosted_add_network(w, &w->host, SLICE("127.0.0.0/8"), &err), &err);
    must(hosted_add_network(w, &w->customers, SLICE("198.51.100.0/24"), &err), &err);
    add_forward("sales@example.com", "x@gmail.test");
}

static inline struct address address_of(const char *path)
{
    struct address a;
    struct err err;

    must(address_parse(slice_str(path), &arena, &a, &err), &err);
    return a;
}

/* client: "-" for the sendmail command, "" for a client without an address; header: one field or ""
 */
struct mail_case {
    const char *client, *auth, *from, *header, *to;
};

static inline void facts_of(const struct mail_case *c, struct facts *f)
{
    struct slice value = slice_str(c->header), name;

    *f = (struct facts){.smtp = c->client[0] != '-',
                        .auth = slice_str(c->auth),
                        .bytes = 1000,
                        .recipient_count = 1};
    if (f->smtp)
        f->client_ip = slice_str(c->client);
    f->sender = address_of(c->from);
    f->recipients = arena_alloc(&arena, sizeof *f->recipients);
    f->recipients[0] = address_of(c->to);
    if (slice_cut(&value, ':', &name) && header_facts_add(&f->headers, w, &arena, name, value) != 0)
        OK(false, "out of memory");
}

#endif
