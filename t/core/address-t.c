/* Addresses of SMTP and of header fields, domains, SRS forms. */
#include "t/tap.h"

#include <sysexits.h>

#include "lib/core/address.h"
#include "lib/core/srs.h"
#include "lib/core/utf8.h"

static struct arena arena;

/* local and domain NULL: refused. */
struct path_case {
    const char *path, *local, *domain;
};

static const struct path_case paths[] = {
    /* as an MTA hands them on: argument of MAIL and RCPT */
    {"<MFALICE@HOST.TEST>", "MFALICE", "host.test"},
    {"<\"mfalice\"@host.test>", "mfalice", "host.test"},
    {"<\"john doe\"@R.E>", "john doe", "r.e"},
    {"<@hop1,@hop2:user@host.test>", "user", "host.test"},
    {"<@[IPv6:2001:db8::1]:user@host.test>", "user", "host.test"},
    {"<user@host.test.>", "user", "host.test"},
    {"<user>", "user", ""},
    {"<postmaster>", "postmaster", ""},
    {"<user%inner.test@host.test>", "user%inner.test", "host.test"},
    {"<user@[127.0.0.1]>", "user", "[127.0.0.1]"},
    {"<user@[IPv6:2001:DB8::1]>", "user", "[ipv6:2001:db8::1]"},
    {"<user+tag@host.test>", "user+tag", "host.test"},
    {"<mf\\alice@host.test>", "mfalice", "host.test"},
    {"user@host.test", "user", "host.test"},
    {" <user@host.test> ", "user", "host.test"},
    {"<a@b@host.test>", "a@b", "host.test"},
    {"<\"a@b\"@host.test>", "a@b", "host.test"},
    {"<nodomain>", "nodomain", ""},
    {"<user@>", NULL, NULL},
    {"<@host.test>", NULL, NULL},
    {"<\"\"@host.test>", "", "host.test"},
    {"<\"\">", NULL, NULL},
    {"<\"a\\\"b\\\\c\"@host.test>", "a\"b\\c", "host.test"},
    {"<\"open@host.test>", NULL, NULL},
    {"<user\\>", NULL, NULL},
    {"Bob <a@b.test>", NULL, NULL},
    {"<a b@host.test>", NULL, NULL},
    {"<a@b.test", NULL, NULL},
    {"<a@b.test> x", NULL, NULL},
    {"a@b.test>", NULL, NULL},
    {"<a@b..test>", NULL, NULL},
    {"<a@.b.test>", NULL, NULL},
    {"<a@b}c.test>", NULL, NULL},
    {"<a@[b@c]>", NULL, NULL},
    {"<a@[]>", NULL, NULL},
    {"<a\x01@b.test>", NULL, NULL},
    {"<\"a\x01\"@b.test>", "a\x01", "b.test"},
    /* the null sender */
    {"<>", "", ""},
    {"", "", ""},
    {" ", "", ""},
    {"< >", "", ""},
    /* pickup: no brackets */
    {"root", "root", ""},
    {"\"john doe\"@r.test", "john doe", "r.test"},
    /* SMTPUTF8, IDN: one domain however it is written */
    {"<j\xc3\xb6rg@b\xc3\xbc"
     "cher.test>",
     "j\xc3\xb6rg", "xn--bcher-kva.test"},
    {"<x@B\xc3\x9c"
     "CHER.test>",
     "x", "xn--bcher-kva.test"},
    {"<x@bu\xcc\x88"
     "cher.test>",
     "x", "xn--bcher-kva.test"},
    {"<x@XN--BCHER-KVA.test>", "x", "xn--bcher-kva.test"},
    {"<x@b\xc3\xbc"
     "cher.test.>",
     "x", "xn--bcher-kva.test"},
    {"<x@b\xc3\xbc"
     "cher\xe3\x80\x82test>",
     "x", "xn--bcher-kva.test"},
    {"<x@stra\xc3\x9f"
     "e.test>",
     "x", "xn--strae-oqa.test"},
    /* an invisible character goes */
    {"<x@A\xe2\x80\x8b.TEST>", "x", "a.test"},
    /* IDNA refuses them */
    {"<x@AB--c\xc3\xbc.test>", NULL, NULL},
    {"<x@\xd7\x90"
     "A.test>",
     NULL, NULL},
    {"<x@a\xe2\x80\xa8.wild.example>", NULL, NULL}, /* U+2028 */
    /* no UTF-8 at all */
    {"<x@\xff.test>", NULL, NULL},
};

static void test_path(const struct path_case *c)
{
    struct address a;
    struct err err = {.code = 0};
    int result = address_parse(slice_str(c->path), &arena, &a, &err);
    char what[200];

    (void)snprintf(what, sizeof what, "path '%s'", c->path);
    if (c->local == NULL) {
        OK(result == -1 && err.code == EX_DATAERR && err.text[0] != '\0', what);
        return;
    }
    OK(result == 0 && slice_equal(a.local, slice_str(c->local)) &&
           slice_equal(a.domain, slice_str(c->domain)),
       what);
    if (tap_failed > 0 && result == 0)
        printf("# got '%.*s' '%.*s'\n", SLICE_FMT(a.local), SLICE_FMT(a.domain));
}

static void test_path_bounds(void)
{
    static char long_path[1100];
    struct address a;
    struct err err;
    struct arena small;

    memset(long_path, 'a', sizeof long_path);
    memcpy(long_path + 1020, "@b.c", 4);
    OK(address_parse((struct slice){long_path, 1024}, &arena, &a, &err) == 0,
       "1024 bytes are a path");
    OK(address_parse((struct slice){long_path, 1025}, &arena, &a, &err) == -1, "1025 are not");
    OK(address_parse((struct slice){"a\0b@c.test", 10}, &arena, &a, &err) == -1,
       "NUL outside quotes is refused");
    OK(address_parse((struct slice){"a@c\0.test", 9}, &arena, &a, &err) == -1,
       "NUL in a domain is refused");
    arena_init(&small, 16);
    OK(address_parse(SLICE("<someone@example.com>"), &small, &a, &err) == -1 &&
           err.code == EX_OSERR,
       "no room is an error of its own");
    arena_fini(&small);
    a = address_unparsed();
    OK(!address_is_null(&a) && a.domain.len > 0,
       "what stands for an address that cannot be read is not null");
}

struct header_case {
    const char *value, *address; /* as address_text has it; "": none */
};

static const struct header_case headers[] = {
    {" carol@example.org", "carol@example.org"},
    {" Bob <bob@example.net>", "bob@example.net"},
    {"Cron <root@example.com>", "root@example.com"},
    {" \"Doe, John\" <john@example.com>, b@example.org", "john@example.com"},
    {" =?utf-8?q?J=C3=B6rg?= <Joerg@B\xc3\xbc"
     "cher.example>",
     "joerg@xn--bcher-kva.example"},
    {" a@example.com (comment (nested) <x@y>), b@example.org", "a@example.com"},
    {" (only) a (c) @ (d) example . com", "a@example.com"},
    {" friends: a@example.com, b@example.org;", "a@example.com"},
    {" undisclosed-recipients:;", ""},
    {" empty:;, c@example.org", "c@example.org"},
    {"\n <a@example.com>", "a@example.com"},
    {" <@hop.test,@hop2.test:a@example.com>", "a@example.com"},
    {" <>", ""},
    {" <>, a@example.com", "a@example.com"},
    {" root", "root"},
    {" Cron Daemon", ""},
    {" \"john doe\"@example.com", "john?doe@example.com"},
    {" a@[192.0.2.1]", "a@[192.0.2.1]"},
    {"", ""},
    {" ,,;", ""},
    {" (open comment a@example.com", ""},
    {" \"open quote a@example.com", ""},
    {" <a@example.com", "a@example.com"},
    {" Bob <bob @ example.net>", "bob@example.net"},
    {" Bob <b@d@> , c@example.org", "c@example.org"},
};

static void test_header(const struct header_case *c)
{
    struct address a;
    int result = address_parse_header(slice_str(c->value), &arena, &a);
    char what[200];

    (void)snprintf(what, sizeof what, "header '%s'", c->value);
    OK(result == 0, "no error");
    IS_SLICE(address_is_null(&a) ? SLICE_NONE : address_text(&a, &arena), slice_str(c->address),
             what);
}

static void test_header_bounds(void)
{
    enum { N = 1 << 20 };
    static char value[N];
    struct address a;
    size_t used = arena.used_bytes;

    memset(value, 'x', N);
    OK(address_parse_header((struct slice){value, N}, &arena, &a) == 0 && address_is_null(&a),
       "a megabyte without an address has none");
    memcpy(value + N - 17, " <last@end.test> ", 17);
    OK(address_parse_header((struct slice){value, N}, &arena, &a) == 0 &&
           slice_equal(a.local, SLICE("last")),
       "an address behind a megabyte of name is found");
    memset(value, '(', N);
    OK(address_parse_header((struct slice){value, N}, &arena, &a) == 0 && address_is_null(&a),
       "a million comments");
    OK(arena.used_bytes - used < 4096, "in little memory");
}

struct user_case {
    const char *path, *user, *text;
};

static const struct user_case users[] = {
    {"Alice+Tag@Example.COM", "alice@example.com", "alice+tag@example.com"},
    {"+tag@example.com", "+tag@example.com", "+tag@example.com"},
    {"\"john doe\"@example.com", "john?doe@example.com", "john?doe@example.com"},
    {"\"a@b\"@example.com", "\"a@b\"@example.com", "\"a@b\"@example.com"},
    {"\"a\\\"b\"@example.com", "\"a\\\"b\"@example.com", "\"a\\\"b\"@example.com"},
    {"\"a..b\"@example.com", "\"a..b\"@example.com", "\"a..b\"@example.com"},
    {"\"a\x01\"@example.com", "a?@example.com", "a?@example.com"},
    {"\"x\xff\"@example.com", "x?@example.com", "x?@example.com"},
    {"J\xc3\xb6rg@example.com", "j\xc3\xb6rg@example.com", "j\xc3\xb6rg@example.com"},
    {"Root", "root", "root"},
    {"_nodes", "?nodes", "?nodes"},
    {"_a@example.com", "_a@example.com", "_a@example.com"},
    {"\"\"@example.com", "\"\"@example.com", "\"\"@example.com"},
};

static void test_user(const struct user_case *c)
{
    struct address a;

    OK(address_parse(slice_str(c->path), &arena, &a, NULL) == 0, c->path);
    IS_SLICE(address_user(&a, &arena), slice_str(c->user), "user");
    IS_SLICE(address_text(&a, &arena), slice_str(c->text), "text");
}

/* NULL: refused. */
static const struct domain_case {
    const char *text, *want;
} domains[] = {
    {"Example.COM", "example.com"},
    {"example.com.", "example.com"},
    {".Example.com", ".example.com"},
    {".b\xc3\xbc"
     "cher.example",
     ".xn--bcher-kva.example"},
    {"_dmarc.example.com", "_dmarc.example.com"},
    {"localhost", "localhost"},
    {"", NULL},
    {".", NULL},
    {"..", NULL},
    {"a..b", NULL},
    {"..a", NULL},
    {"example.com..", NULL},
    {"exa mple.com", NULL},
    {" example.com", NULL},
    {"example.com\n", NULL},
    {"[192.0.2.1]", NULL},
    {"a@b", NULL},
    {"a:b", NULL},
    {"a{b}", NULL},
    {"*.example.com", NULL},
    {"\xc3\x28.test", NULL},
};

static void test_domain(const struct domain_case *c)
{
    struct slice got;
    struct err err = {.code = 0};
    int result = domain_canonical(slice_str(c->text), &arena, &got, &err);
    char what[200];

    (void)snprintf(what, sizeof what, "domain '%s'", c->text);
    if (c->want == NULL)
        OK(result == -1 && err.code == EX_DATAERR, what);
    else if (OK(result == 0, what))
        IS_SLICE(got, slice_str(c->want), what);
}

static void test_domain_length(void)
{
    char name[300];
    struct slice got;

    memset(name, 'a', sizeof name);
    OK(domain_canonical((struct slice){name, 255}, &arena, &got, NULL) == 0,
       "255 bytes are a domain");
    OK(domain_canonical((struct slice){name, 256}, &arena, &got, NULL) == -1, "256 are not");
    name[255] = '.';
    OK(domain_canonical((struct slice){name, 256}, &arena, &got, NULL) == 0,
       "a trailing dot does not count");
}

static const struct srs_case {
    const char *local;
    bool srs;
} srs_forms[] = {
    {"SRS0=HHH=TT=orig.test=joe", true},
    {"srs0=hhh=tt=orig.test=joe", true},
    {"SRS0+HHH=TT=orig.test=joe", true},
    {"SRS0-HHH=TT=orig.test=joe", true},
    {"SRS1=HHH=a.test==HHH=TT=b.test=joe", true},
    {"srs1-HHH=a.test=-HHH=TT=b.test=joe", true},
    {"srs1=HHH=a.test==HHH=TT=b.test=joe", true},
    {"SRS0=opaque", false},
    {"srs0-fan", false},
    {"SRS0", false},
    {"SRS0=", false},
    {"SRS0==x", false},
    {"SRS2=HHH=TT=orig.test=joe", false},
    {"SRS0:HHH=TT=orig.test=joe", false},
    {"xSRS0=HHH=TT=orig.test=joe", false},
    {"prvs=1234abcd=alice", false},
    {"", false},
};

static void test_utf8(void)
{
    OK(utf8_valid(SLICE("a\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80")), "one to four bytes");
    OK(!utf8_valid(SLICE("\xc0\x80")) && !utf8_valid(SLICE("\xe0\x80\x80")),
       "over-long forms are none");
    OK(!utf8_valid(SLICE("\xed\xa0\x80")), "surrogates are none");
    OK(!utf8_valid(SLICE("\xf4\x90\x80\x80")) && !utf8_valid(SLICE("\xf5\x80\x80\x80")),
       "nothing beyond U+10FFFF");
    OK(!utf8_valid(SLICE("\xe2\x82")) && !utf8_valid(SLICE("\x80")), "nothing torn");
}

#define EACH(table, test)                                                                          \
    for (size_t i = 0; i < sizeof(table) / sizeof(table)[0]; i++)                                  \
    test(&(table)[i])

static void test_srs(const struct srs_case *c)
{
    OK(srs_is(slice_str(c->local)) == c->srs, c->local);
}

static void test_untagged(const char *local, const char *user)
{
    IS_SLICE(srs_untagged(slice_str(local)), slice_str(user), local);
}

int main(void)
{
    test_untagged("prvs=1234abcdef=alice", "alice");
    test_untagged("PRVS=1234abcdef=alice+x", "alice+x");
    test_untagged("msprvs1=17852abcd=alice", "alice");
    test_untagged("btv1==0123456789a==alice", "alice");
    test_untagged("prvs=alice", "prvs=alice");
    test_untagged("prvs==alice", "prvs==alice");
    test_untagged("prvs=tag=", "prvs=tag=");
    test_untagged("alice=prvs=x", "alice=prvs=x");
    test_untagged("", "");
    arena_init(&arena, 1 << 20);
    EACH(paths, test_path);
    test_path_bounds();
    EACH(headers, test_header);
    test_header_bounds();
    EACH(users, test_user);
    EACH(domains, test_domain);
    test_domain_length();
    EACH(srs_forms, test_srs);
    test_utf8();
    arena_fini(&arena);
    return tap_done();
}
