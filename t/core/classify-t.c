/* Classification: rules, owners, users. The numbers are in vectors-t. */
#include "t/core/classify_fixture.h"

/* --- rules, owners and users --- */

static const struct rule_case {
    const char *what;
    struct mail_case mail;
    enum origin origin;
    enum mail_class class_;
    enum rule rule;
    const char *account, *user, *received_account, *received_user;
} rules[] = {
    {"in",
     {"192.0.2.9", "", "s@else.test", "", "Alice+Tag@Example.com"},
     ORIGIN_OUTSIDE,
     CLASS_IN,
     RULE_HOSTED_FROM_OUTSIDE,
     "example.com",
     "alice@example.com",
     "",
     ""},
    {"in to an alias domain",
     {"192.0.2.9", "", "", "", "a@alias.example"},
     ORIGIN_OUTSIDE,
     CLASS_IN,
     RULE_HOSTED_FROM_OUTSIDE,
     "example.com",
     "a@alias.example",
     "",
     ""},
    {"a client without an address is outside",
     {"", "", "a@example.com", "", "b@example.org"},
     ORIGIN_OUTSIDE,
     CLASS_IN,
     RULE_HOSTED_FROM_OUTSIDE,
     "example.org",
     "b@example.org",
     "",
     ""},
    {"relay",
     {"192.0.2.9", "", "a@example.com", "", "x@else.test"},
     ORIGIN_OUTSIDE,
     CLASS_RELAY,
     RULE_NOT_HOSTED,
     "_unattributed",
     "",
     "",
     ""},
    {"local by AUTH",
     {"192.0.2.9", "Bob@Example.com", "x@else.test", "", "c@example.org"},
     ORIGIN_SUBMITTER,
     CLASS_LOCAL,
     RULE_HOSTED_FROM_HERE,
     "example.com",
     "bob@example.com",
     "example.org",
     "c@example.org"},
    {"local from this host",
     {"127.0.0.1", "", "Cron+x@example.com", "", "c@example.org"},
     ORIGIN_HOST,
     CLASS_LOCAL,
     RULE_HOSTED_FROM_HERE,
     "example.com",
     "cron@example.com",
     "example.org",
     "c@example.org"},
    {"local from nobody",
     {"-", "", "", "", "c@example.org"},
     ORIGIN_HOST,
     CLASS_LOCAL,
     RULE_HOSTED_FROM_HERE,
     "_unattributed",
     "",
     "example.org",
     "c@example.org"},
    {"AUTH beats this host",
     {"127.0.0.1", "bob@example.com", "c@example.org", "", "x@else.test"},
     ORIGIN_SUBMITTER,
     CLASS_OUT,
     RULE_SUBMITTED,
     "example.com",
     "bob@example.com",
     "",
     ""},
    {"AUTH by a login",
     {"192.0.2.9", "JDOE", "x@else.test", "", "x@else.test"},
     ORIGIN_SUBMITTER,
     CLASS_OUT,
     RULE_SUBMITTED,
     "example.com",
     "john@example.com",
     "",
     ""},
    {"AUTH by a login that is no address",
     {"192.0.2.9", "nobody", "c@example.org", "", "x@else.test"},
     ORIGIN_SUBMITTER,
     CLASS_OUT,
     RULE_SUBMITTED,
     "example.org",
     "c@example.org",
     "",
     ""},
    {"AUTH by an address that is not hosted",
     {"192.0.2.9", "y@else.test", "c@example.org", "", "x@else.test"},
     ORIGIN_SUBMITTER,
     CLASS_OUT,
     RULE_SUBMITTED,
     "example.org",
     "y@else.test",
     "",
     ""},
    {"AUTH without any owner",
     {"192.0.2.9", "nobody", "", "", "x@else.test"},
     ORIGIN_SUBMITTER,
     CLASS_OUT,
     RULE_SUBMITTED,
     "_unattributed",
     "",
     "",
     ""},
    {"a customer's network",
     {"198.51.100.7", "", "A@Example.com", "", "x@else.test"},
     ORIGIN_SUBMITTER,
     CLASS_OUT,
     RULE_SUBMITTED,
     "example.com",
     "a@example.com",
     "",
     ""},
    {"an SRS sender of a submitter is no forward",
     {"198.51.100.7", "", "SRS0=H=T=o.test=j@example.com", "", "x@else.test"},
     ORIGIN_SUBMITTER,
     CLASS_OUT,
     RULE_SUBMITTED,
     "example.com",
     "",
     "",
     ""},
    {"this host, hosted sender",
     {"-", "", "www@example.com", "Delivered-To: c@example.org", "x@else.test"},
     ORIGIN_HOST,
     CLASS_OUT,
     RULE_HOST_SENDER,
     "example.com",
     "www@example.com",
     "",
     ""},
    {"this host, SRS",
     {"-", "", "SRS0=H=T=o.test=j@alias.example", "", "x@else.test"},
     ORIGIN_HOST,
     CLASS_FORWARD,
     RULE_SRS,
     "example.com",
     "",
     "",
     ""},
    {"this host, SRS, and the header tells who",
     {"-", "", "srs0+H=T=o.test=j@example.com", "Delivered-To: Al@Example.com", "x@else.test"},
     ORIGIN_HOST,
     CLASS_FORWARD,
     RULE_SRS,
     "example.com",
     "al@example.com",
     "",
     ""},
    {"this host, SRS, and the header tells of another",
     {"-", "", "SRS1=H=a.test==H=T=b.test=j@example.com", "Delivered-To: c@example.org",
      "x@else.test"},
     ORIGIN_HOST,
     CLASS_FORWARD,
     RULE_SRS,
     "example.com",
     "",
     "",
     ""},
    {"SRS of a domain that is not hosted",
     {"-", "", "SRS0=H=T=o.test=j@else.test", "", "x@else.test"},
     ORIGIN_HOST,
     CLASS_FORWARD,
     RULE_FORWARDED_UNKNOWN,
     "_unattributed",
     "",
     "",
     ""},
    {"Delivered-To",
     {"-", "", "j@orig.test", "Delivered-To: Carol+x@Example.org", "x@else.test"},
     ORIGIN_HOST,
     CLASS_FORWARD,
     RULE_REDIRECT_HEADER,
     "example.org",
     "carol@example.org",
     "",
     ""},
    {"X-Original-To",
     {"-", "", "j@orig.test", "X-Original-To: a@alias.example", "x@else.test"},
     ORIGIN_HOST,
     CLASS_FORWARD,
     RULE_REDIRECT_HEADER,
     "example.com",
     "a@alias.example",
     "",
     ""},
    {"Resent-From",
     {"-", "", "", "Resent-From: Bob <bob@example.com>", "x@else.test"},
     ORIGIN_HOST,
     CLASS_FORWARD,
     RULE_REDIRECT_HEADER,
     "example.com",
     "bob@example.com",
     "",
     ""},
    {"Delivered-To elsewhere tells nothing",
     {"-", "", "j@orig.test", "Delivered-To: z@else.test", "x@else.test"},
     ORIGIN_HOST,
     CLASS_FORWARD,
     RULE_FORWARDED_UNKNOWN,
     "_unattributed",
     "",
     "",
     ""},
    {"null sender, hosted From",
     {"-", "", "", "From: Cron <root@example.com>", "x@else.test"},
     ORIGIN_HOST,
     CLASS_OUT,
     RULE_NULL_FROM_HEADER,
     "example.com",
     "",
     "",
     ""},
    {"null sender, From elsewhere",
     {"-", "", "", "From: root@else.test", "x@else.test"},
     ORIGIN_HOST,
     CLASS_OUT,
     RULE_NULL_FROM_HEADER,
     "_unattributed",
     "",
     "",
     ""},
    {"a sender without a domain is not hosted",
     {"-", "", "root", "From: Cron <root@example.com>", "x@else.test"},
     ORIGIN_HOST,
     CLASS_FORWARD,
     RULE_FORWARDED_UNKNOWN,
     "_unattributed",
     "",
     "",
     ""},
    {"a header of an outside client does not matter",
     {"192.0.2.9", "", "", "Delivered-To: c@example.org", "x@else.test"},
     ORIGIN_OUTSIDE,
     CLASS_RELAY,
     RULE_NOT_HOSTED,
     "_unattributed",
     "",
     "",
     ""},
};

static void test_rule(const struct rule_case *c)
{
    struct facts f;
    struct classified got;
    const struct decision *d;

    facts_of(&c->mail, &f);
    OK(classify(&f, w, NULL, &arena, &got, NULL) == 0 && got.count == 1, c->what);
    d = &got.decisions[0];
    IS_STR(classify_origin_name(got.origin), classify_origin_name(c->origin), "origin");
    IS_STR(classify_class_name(d->class_), classify_class_name(c->class_), "class");
    IS_STR(classify_rule_text(d->rule), classify_rule_text(c->rule), "rule");
    IS_SLICE(d->account, slice_str(c->account), "account");
    IS_SLICE(d->user, slice_str(c->user), "user");
    IS_SLICE(d->received_account, slice_str(c->received_account), "receiving account");
    IS_SLICE(d->received_user, slice_str(c->received_user), "receiving user");
    OK((d->destination.len > 0) ==
           (c->class_ == CLASS_OUT || c->class_ == CLASS_FORWARD || c->class_ == CLASS_RELAY),
       "a destination for what leaves");
    OK(got.null_sender == (c->mail.from[0] == '\0') &&
           got.is_bounce == (got.null_sender && c->origin != ORIGIN_SUBMITTER),
       "bounce");
}

static void test_rules(void)
{
    hosted_begin();
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        test_rule(&rules[i]);
    hosted_free(w);
}

/* --- addresses without a domain --- */

static void test_default_domain(void)
{
    struct mail_case c = {
        .client = "-", .auth = "", .from = "root", .header = "", .to = "postmaster"};
    struct facts f;
    struct classified got;

    hosted_begin();
    facts_of(&c, &f);
    OK(classify(&f, w, NULL, &arena, &got, NULL) == 0 &&
           got.decisions[0].rule == RULE_FORWARDED_UNKNOWN,
       "without a default domain such a recipient is not hosted");
    must(hosted_set_default_domain(w, SLICE("example.com"), NULL), NULL);
    OK(classify(&f, w, NULL, &arena, &got, NULL) == 0 &&
           got.decisions[0].rule == RULE_HOSTED_FROM_HERE,
       "with one it is");
    IS_SLICE(got.decisions[0].user, SLICE("root@example.com"), "so is the sender");
    IS_SLICE(got.decisions[0].received_user, SLICE("postmaster@example.com"),
             "and the recipient has a name");
    hosted_free(w);
}

/* --- two headers that name different hosted domains --- */

static void test_redirect(const char *first, const char *second, const char *account)
{
    struct mail_case c = {
        .client = "-", .auth = "", .from = "s@else.test", .header = first, .to = "x@else.test"};
    struct slice value = slice_str(second), name;
    struct facts f;
    struct classified got;

    facts_of(&c, &f);
    OK(slice_cut(&value, ':', &name) && header_facts_add(&f.headers, w, &arena, name, value) == 0 &&
           classify(&f, w, NULL, &arena, &got, NULL) == 0,
       second);
    IS_SLICE(got.decisions[0].account, slice_str(account), first);
}

static void test_redirects(void)
{
    hosted_begin();
    test_redirect("X-Original-To: a@example.org", "Delivered-To: b@example.com", "example.com");
    test_redirect("Resent-From: a@example.org", "X-Original-To: b@example.com", "example.com");
    test_redirect("Resent-From: a@example.org", "Delivered-To: b@example.com", "example.com");
    test_redirect("Delivered-To: a@example.org", "Delivered-To: b@example.com", "example.org");
    test_redirect("Delivered-To: a@else.test", "Resent-From: b@example.com", "example.com");
    hosted_free(w);
}

/* --- mail from outside has no owner --- */

static void test_outside_owner(void)
{
    struct mail_case c = {.client = "192.0.2.9",
                          .auth = "",
                          .from = "a@example.com",
                          .header = "",
                          .to = "b@example.org"};
    struct facts f;
    struct classified got;

    hosted_begin();
    facts_of(&c, &f);
    OK(classify(&f, w, NULL, &arena, &got, NULL) == 0, "a forged sender from outside");
    IS_SLICE(got.owner, SLICE(ACCOUNT_UNATTRIBUTED), "owns nothing");
    IS_SLICE(got.owner_user, SLICE_NONE, "nor does a user");
    hosted_free(w);
}

int main(void)
{
    arena_init(&arena, 16 << 20);
    test_rules();
    test_redirects();
    test_outside_owner();
    test_default_domain();
    arena_fini(&arena);
    return tap_done();
}
