/* The hosted: hosted domains, forwarders, logins; what it knows, and what it asks. */
#include "t/tap.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/hosted.h"
#include "t/random.h"

static struct hosted *w;
static struct arena arena;

static void add_domain(const char *name, const char *owner)
{
    struct err err;

    if (hosted_add_domain(w, slice_str(name), slice_str(owner), &err) != 0)
        OK(false, err.text);
}

static void add_forward(const char *key, const char *target)
{
    struct err err;

    if (hosted_add_forward(w, slice_str(key), slice_str(target), &err) != 0)
        OK(false, err.text);
}

/* --- domains --- */

/* charged NULL: not hosted */
static void domain_is(const char *name, const char *charged)
{
    struct slice canonical, got = SLICE_NONE;
    enum hosted_result found;

    if (!OK(domain_canonical(slice_str(name), &arena, &canonical, NULL) == 0, name))
        return;
    found = hosted_domain(w, NULL, canonical, &got);
    IS_INT(found, charged == NULL ? HOSTED_NO : HOSTED_YES, name);
    if (charged != NULL)
        IS_SLICE(got, slice_str(charged), name);
}

/* A bound of names under a wildcard entry. */
static bool only_first(void *context, struct slice entry, struct slice name)
{
    return slice_equal(entry, SLICE(".wild.example")) && slice_equal(name, slice_str(context));
}

static void test_domains(void)
{
    w = hosted_new(1 << 20);
    add_domain("Example.COM.", "");
    add_domain("own.example", "own.example");
    add_domain("alias.example", "Example.com");
    add_domain(".wild.example", "");
    add_domain(".cust.example", "cust.example");
    add_domain("deep.wild.example", "deep.wild.example");
    add_domain(".deeper.wild.example", "owner.example");
    add_domain("twice.example", "first.example");
    add_domain("twice.example", "second.example");
    add_domain("b\xc3\xbc"
               "cher.example",
               "");
    IS_INT(w->owners.count, 5, "each owner but oneself is kept once");
    domain_is("example.com", "example.com");
    domain_is("EXAMPLE.com.", "example.com");
    domain_is("own.example", "own.example");
    domain_is("sub.example.com", NULL);
    domain_is("com", NULL);
    domain_is("notexample.com", NULL);
    domain_is("alias.example", "example.com");
    w->name_has_account = only_first;
    w->names_context = (void *)"first.wild.example";
    domain_is("first.wild.example", "first.wild.example");
    domain_is("other.wild.example", "wild.example");
    domain_is("x.deeper.wild.example", "owner.example");
    domain_is("deep.wild.example", "deep.wild.example");
    w->name_has_account = NULL;
    domain_is("wild.example", NULL);
    domain_is("a.wild.example", "a.wild.example");
    domain_is("a.b.wild.example", "a.b.wild.example");
    domain_is("notwild.example", NULL);
    domain_is("deep.wild.example", "deep.wild.example");
    domain_is("x.deeper.wild.example", "owner.example");
    domain_is("deeper.wild.example", "deeper.wild.example");
    domain_is("eu.cust.example", "cust.example");
    domain_is("cust.example", NULL);
    domain_is("twice.example", "second.example");
    domain_is("xn--bcher-kva.example", "xn--bcher-kva.example");
    hosted_free(w);
}

static void test_domain_faults(void)
{
    struct err err = {.code = 0};
    struct slice charged;

    w = hosted_new(1 << 20);
    OK(hosted_add_domain(w, SLICE("no domain"), SLICE_NONE, &err) == -1 && err.code == EX_DATAERR,
       "a blank");
    OK(hosted_add_domain(w, SLICE("a.example"), SLICE("b c"), &err) == -1 &&
           err.code == EX_DATAERR && strstr(err.text, "a.example") != NULL,
       "an owner that is no domain; the entry is named");
    OK(hosted_add_domain(w, SLICE("a.example"), SLICE(".b.example"), &err) == -1,
       "a wildcard as owner");
    IS_INT(w->domains.count, 0, "nothing of it came in");
    OK(hosted_domain(w, NULL, SLICE_NONE, &charged) == HOSTED_NO, "the empty domain is not hosted");
    OK(hosted_domain(w, NULL, SLICE("[192.0.2.1]"), &charged) == HOSTED_NO, "nor is a literal");
    hosted_free(w);
    w = hosted_new(64);
    while (hosted_add_domain(w, SLICE("a.example"), SLICE_NONE, &err) == 0)
        ;
    IS_INT(err.code, EX_OSERR, "the cap is an ordinary error");
    hosted_free(w);
}

/* Entry by entry: an exact one, else the longest wildcard. */
static const char *domain_slowly(char names[][16], size_t count, const char *name)
{
    const char *best = NULL;
    size_t len = strlen(name);

    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(names[i]);

        if (strcmp(names[i], name) == 0)
            return names[i];
        if (names[i][0] == '.' && len > n && strcmp(name + len - n, names[i]) == 0 &&
            (best == NULL || n > strlen(best)))
            best = names[i];
    }
    return best;
}

static void random_name(struct random_source *r, char name[16], bool dot)
{
    size_t labels = 1 + random_below(r, 4), at = 0;

    if (dot)
        name[at++] = '.';
    for (size_t i = 0; i < labels; i++) {
        if (i > 0)
            name[at++] = '.';
        name[at++] = (char)('a' + random_below(r, 6));
    }
    name[at] = '\0';
}

static void test_domains_random(void)
{
    enum { N = 40 };
    struct random_source r = {2};
    size_t good = 0, hits = 0;

    for (int round = 0; round < 100; round++) {
        char names[N][16], owner[700];

        w = hosted_new(1 << 20);
        for (int i = 0; i < N; i++) {
            random_name(&r, names[i], random_below(&r, 2) == 0);
            (void)snprintf(owner, sizeof owner, "o%s", names[i][0] == '.' ? names[i] : "");
            add_domain(names[i], names[i][0] == '.' ? owner : "");
        }
        for (int i = 0; i < 200; i++) {
            char name[16];
            const char *want;
            struct slice got = SLICE_NONE;
            enum hosted_result found;

            random_name(&r, name, false);
            want = domain_slowly(names, N, name);
            found = hosted_domain(w, NULL, slice_str(name), &got);
            (void)snprintf(owner, sizeof owner, "%s%s", want != NULL && want[0] == '.' ? "o" : "",
                           want != NULL ? want : "");
            good += want == NULL ? found == HOSTED_NO
                                 : found == HOSTED_YES && slice_equal(got, slice_str(owner));
            hits += found == HOSTED_YES;
        }
        hosted_free(w);
    }
    IS_INT(good, 20000, "as a search through all entries has it");
    printf("# %zu hits\n", hits);
    OK(hits > 2000 && hits < 18000, "with hits and misses");
}

static void test_million(void)
{
    enum { N = 1000000 };
    char name[64];
    bool good = true;
    struct slice charged;

    w = hosted_new((size_t)200 << 20);
    for (int i = 0; i < N && good; i++) {
        int len = snprintf(name, sizeof name, "customer-%07d.hosting.example", i);

        good = hosted_add_domain(w, (struct slice){name, (size_t)len}, SLICE_NONE, NULL) == 0;
    }
    OK(good && w->domains.count == N, "a million domains");
    printf("# %zu bytes\n", hosted_bytes(w));
    OK(hosted_bytes(w) < (size_t)120 << 20, "in less than 120 MB");
    OK(hosted_domain(w, NULL, SLICE("customer-0999999.hosting.example"), &charged) == HOSTED_YES &&
           hosted_domain(w, NULL, SLICE("customer-1000000.hosting.example"), &charged) == HOSTED_NO,
       "the last is found, the next is not");
    hosted_free(w);
}

/* --- forwarders --- */

/* The first target found, or "" */
static const char *forward_of(const char *path)
{
    struct address a;
    struct forward_targets t;

    if (address_parse(slice_str(path), &arena, &a, NULL) != 0)
        return "unparsed";
    if (hosted_forward(w, NULL, &a, &t) != HOSTED_YES)
        return "";
    return arena_copy(&arena, t.list[0]).ptr;
}

static void test_forwards(void)
{
    struct err err = {.code = 0};
    struct address a;
    struct forward_targets t;

    w = hosted_new(1 << 20);
    add_forward("Sales@Example.com.", "one@x.test");
    add_forward("sales@example.com", "two@x.test");
    add_forward("sales+vip@example.com", "vip@x.test");
    add_forward("@catch.example", "all@x.test");
    add_forward("postmaster", "root@x.test");
    add_forward("ops", "|/usr/bin/pager");
    OK(hosted_add_bare_forwards_domain(w, SLICE("Host.example"), &err) == 0,
       "a domain of the system's users");
    IS_STR(forward_of("SALES@example.com"), "one@x.test", "an address, case folded");
    IS_STR(forward_of("sales+other@example.com"), "one@x.test", "without its extension");
    IS_STR(forward_of("sales+vip@example.com"), "vip@x.test", "with its extension first");
    IS_STR(forward_of("anyone@catch.example"), "all@x.test", "the whole domain");
    IS_STR(forward_of("anyone@sub.catch.example"), "", "not its sub-domains");
    IS_STR(forward_of("postmaster@host.example"), "root@x.test", "an alias of a system's user");
    IS_STR(forward_of("postmaster+x@host.example"), "root@x.test", "with an extension");
    IS_STR(forward_of("postmaster@example.com"), "", "not in other domains");
    IS_STR(forward_of("postmaster"), "root@x.test", "without a domain");
    IS_STR(forward_of("<>"), "", "the null address is no forwarder");
    IS_STR(forward_of("nobody@example.com"), "", "nor are others");
    OK(address_parse(SLICE("sales@example.com"), &arena, &a, NULL) == 0 &&
           hosted_forward(w, NULL, &a, &t) == HOSTED_YES && t.count == 2 &&
           slice_equal(t.list[1], SLICE("two@x.test")),
       "targets add up");
    OK(hosted_add_forward(w, SLICE("a@b.test"), SLICE("<open"), &err) == -1 &&
           err.code == EX_DATAERR,
       "no address");
    OK(hosted_add_forward(w, SLICE("a@b.test"), SLICE(""), &err) == -1, "no target");
    OK(hosted_add_forward(w, SLICE("<>"), SLICE("a@b.test"), &err) == -1, "no key");
    OK(hosted_add_forward(w, SLICE("@no domain"), SLICE("a@b.test"), &err) == -1, "no domain");
    IS_STR(forward_of("a@b.test"), "", "nothing of it came in");
    hosted_free(w);
}

static void test_targets(void)
{
    OK(hosted_target_is_address(SLICE("a@b.test")) && hosted_target_is_address(SLICE("\\root")),
       "addresses");
    OK(!hosted_target_is_address(SLICE("|/bin/cat")) &&
           !hosted_target_is_address(SLICE("\"|/bin/cat -v\"")),
       "a command is none");
    OK(!hosted_target_is_address(SLICE("/var/mail/x")) &&
           !hosted_target_is_address(SLICE(":include:/etc/list")),
       "nor is a file, or a list in a file");
    OK(hosted_target_is_address(SLICE("\"john doe\"@b.test")) &&
           !hosted_target_is_address(SLICE("")),
       "quotes");
}

/* --- logins and the rest --- */

static const char *login_of(const char *login)
{
    struct address a;

    if (hosted_login(w, NULL, slice_str(login), &arena, &a) != HOSTED_YES)
        return "";
    return address_text(&a, &arena).ptr;
}

static void test_logins(void)
{
    struct err err = {.code = 0};
    struct arena small;
    struct address a;

    w = hosted_new(1 << 20);
    OK(hosted_add_login(w, SLICE("JDoe"), SLICE("John@Example.com"), &err) == 0, "a login");
    OK(hosted_add_login(w, SLICE("x@gmail.test"), SLICE("x@example.com"), &err) == 0,
       "an address as login");
    OK(hosted_add_login(w, SLICE("a"), SLICE("nodomain"), &err) == -1 && err.code == EX_DATAERR,
       "no whole address");
    OK(hosted_add_login(w, SLICE(""), SLICE("a@b.test"), &err) == -1, "an empty login");
    IS_STR(login_of("jdoe"), "john@example.com", "mapped");
    IS_STR(login_of("JDOE"), "john@example.com", "case does not matter");
    IS_STR(login_of("x@gmail.test"), "x@example.com", "an address that is mapped");
    IS_STR(login_of("y@gmail.test"), "y@gmail.test", "an address that is not");
    IS_STR(login_of("other"), "", "no address");
    IS_STR(login_of(""), "", "no login");
    IS_STR(login_of("two words"), "", "no address at all");
    OK(hosted_set_default_domain(w, SLICE("Default.example"), &err) == 0, "a default domain");
    IS_STR(login_of("other"), "other@default.example", "gives one");
    OK(hosted_set_default_domain(w, SLICE("no domain"), &err) == -1,
       "a default domain that is none");
    arena_init(&small, 16);
    OK(hosted_login(w, NULL, SLICE("somebody@somewhere.example"), &small, &a) == HOSTED_FAILED,
       "no room is told");
    arena_fini(&small);
    hosted_free(w);
}

static void test_settings(void)
{
    struct err err = {.code = 0};
    struct ip ip;

    w = hosted_new(1 << 20);
    OK(hosted_set_spam_header(w, SLICE("X-Spam-Flag:  YES "), &err) == 0, "a spam header");
    IS_SLICE(w->spam_header, SLICE("X-Spam-Flag"), "its name");
    IS_SLICE(w->spam_value, SLICE("YES"), "its value");
    OK(hosted_set_spam_header(w, SLICE("X-Spam"), &err) == 0 && w->spam_value.len == 0,
       "without a value");
    OK(hosted_set_spam_header(w, SLICE(": YES"), &err) == -1, "without a name");
    OK(hosted_set_spam_header(w, SLICE(""), &err) == 0 && w->spam_header.len == 0, "none");
    for (int i = 0; i < 100; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "10.0.%d.0/24", i);

        if (hosted_add_network(w, &w->customers, (struct slice){text, (size_t)len}, &err) != 0)
            OK(false, err.text);
    }
    OK(w->customers.count == 100 && networks_ip_parse(SLICE("10.0.99.1"), &ip) &&
           networks_contain(&w->customers, &ip) && networks_ip_parse(SLICE("10.0.100.1"), &ip) &&
           !networks_contain(&w->customers, &ip),
       "a hundred networks");
    OK(hosted_add_network(w, &w->host, SLICE("nonsense"), &err) == -1 && w->host.count == 0,
       "no network");
    hosted_free(w);
}

/* --- questions --- */

static void answer_domain(struct answers *a, const char *key, bool found, const char *owner)
{
    struct answer answer = {.found = found, .owner = slice_str(owner)};

    OK(answers_put(a, QUESTION_DOMAIN, slice_str(key), &answer) == 0, "answered");
}

static void answer_wildcard(struct answers *a, const char *key)
{
    struct answer answer = {.found = true, .wildcard = SLICE(".wild.example")};

    OK(answers_put(a, QUESTION_DOMAIN, slice_str(key), &answer) == 0, "answered");
}

static void test_questions(void)
{
    struct answers a;
    struct slice charged;

    w = hosted_new(1 << 20);
    add_domain("known.example", "");
    add_domain(".wild.example", "owner.example");
    w->domains_asked = true;
    answers_init(&a, &arena);
    IS_INT(hosted_domain(w, &a, SLICE("known.example"), &charged), HOSTED_YES,
           "what is known is not asked");
    IS_INT(a.open_count, 0, "so nothing is open");
    IS_INT(hosted_domain(w, &a, SLICE("x.wild.example"), &charged), HOSTED_ASK,
           "exact names come before wildcards");
    IS_INT(hosted_domain(w, &a, SLICE("x.wild.example"), &charged), HOSTED_ASK, "asked again");
    IS_INT(hosted_domain(w, &a, SLICE("y.wild.example"), &charged), HOSTED_ASK,
           "asked for another");
    IS_INT(a.open_count, 2, "each question stands once");
    OK(a.open[0].kind == QUESTION_DOMAIN && slice_equal(a.open[0].key, SLICE("x.wild.example")),
       "the first");
    answer_domain(&a, "x.wild.example", true, "");
    answer_domain(&a, "y.wild.example", false, "");
    answer_domain(&a, "z.example", true, "paid.example");
    answers_none_open(&a);
    IS_INT(hosted_domain(w, &a, SLICE("x.wild.example"), &charged), HOSTED_YES,
           "hosted by the answer");
    IS_SLICE(charged, SLICE("x.wild.example"), "charged as it appears");
    IS_INT(hosted_domain(w, &a, SLICE("y.wild.example"), &charged), HOSTED_YES,
           "hosted by the wildcard");
    IS_SLICE(charged, SLICE("owner.example"), "charged to its owner");
    IS_INT(hosted_domain(w, &a, SLICE("z.example"), &charged), HOSTED_YES, "hosted by the answer");
    IS_SLICE(charged, SLICE("paid.example"), "charged to the answer's owner");
    w->name_has_account = only_first;
    w->names_context = (void *)"first.wild.example";
    answer_wildcard(&a, "first.wild.example");
    answer_wildcard(&a, "second.wild.example");
    IS_INT(hosted_domain(w, &a, SLICE("first.wild.example"), &charged), HOSTED_YES,
           "hosted by a wildcard of the source that was asked");
    IS_SLICE(charged, SLICE("first.wild.example"), "a name that may have an account");
    IS_INT(hosted_domain(w, &a, SLICE("second.wild.example"), &charged), HOSTED_YES, "another");
    IS_SLICE(charged, SLICE("wild.example"), "one that may not is charged to the wildcard's name");
    IS_INT(a.open_count, 0, "nothing is open");
    IS_INT(hosted_domain(w, NULL, SLICE("other.example"), &charged), HOSTED_NO, "nobody to ask");
    answers_fini(&a);
    hosted_free(w);
}

static void test_question_kinds(void)
{
    struct answers a;
    struct address who;
    struct forward_targets t;
    struct slice target = SLICE("out@x.test");
    struct answer yes = {
        .found = true, .login = SLICE("john@example.com"), .targets = {&target, 1}};

    w = hosted_new(1 << 20);
    w->forwards_asked = w->logins_asked = true;
    add_forward("@example.com", "catch@x.test");
    answers_init(&a, &arena);
    OK(address_parse(SLICE("Sales+x@Example.com"), &arena, &who, NULL) == 0, "an address");
    IS_INT(hosted_forward(w, &a, &who, &t), HOSTED_ASK, "a forwarder is asked for");
    IS_SLICE(a.open[0].key, SLICE("sales+x@example.com"), "by the whole address in lower case");
    IS_INT(hosted_login(w, &a, SLICE("JDoe"), &arena, &who), HOSTED_ASK, "a login is asked for");
    OK(a.open_count == 2 && slice_equal(a.open[1].key, SLICE("jdoe")), "in lower case");
    OK(answers_put(&a, QUESTION_FORWARD, a.open[0].key, &yes) == 0 &&
           answers_put(&a, QUESTION_LOGIN, a.open[1].key, &yes) == 0,
       "answered");
    OK(address_parse(SLICE("Sales+x@Example.com"), &arena, &who, NULL) == 0 &&
           hosted_forward(w, &a, &who, &t) == HOSTED_YES && slice_equal(t.list[0], target),
       "the answer beats the whole domain");
    OK(hosted_login(w, &a, SLICE("JDoe"), &arena, &who) == HOSTED_YES &&
           slice_equal(who.domain, SLICE("example.com")),
       "the login's address");
    answers_fini(&a);
    hosted_free(w);
}

static void test_questions_full(void)
{
    struct arena small;
    struct answers a;
    struct slice charged;
    char name[32];

    w = hosted_new(1 << 20);
    w->domains_asked = true;
    arena_init(&small, 4000);
    answers_init(&a, &small);
    for (int i = 0; i < 1000 && !a.failed; i++) {
        (void)snprintf(name, sizeof name, "d%d.example", i);
        (void)hosted_domain(w, &a, slice_str(name), &charged);
    }
    OK(a.failed && a.open_count > 0 && a.open_count < 1000,
       "too many questions are an ordinary error");
    answers_fini(&a);
    arena_fini(&small);
    hosted_free(w);
}

int main(void)
{
    arena_init(&arena, 8 << 20);
    test_domains();
    test_domain_faults();
    test_domains_random();
    test_million();
    test_forwards();
    test_targets();
    test_logins();
    test_settings();
    test_questions();
    test_question_kinds();
    test_questions_full();
    arena_fini(&arena);
    return tap_done();
}
