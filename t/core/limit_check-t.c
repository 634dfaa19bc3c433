/* check: which windows a message wants. */
#include "lib/core/limit_check.h"

#include "t/tap.h"

static struct arena arena;
static struct hosted *hosted;
static struct exemptions exemptions;
static struct limit limits[8];
static size_t limit_count, asked, asked_to_build;
static struct limit_list server, client;
static bool (*may_have_windows)(void *, struct slice, struct slice);

static struct slice customer_of(void *context, struct slice domain)
{
    (void)context;
    return hosted_customer(hosted, domain);
}

static int of_holder(void *context, struct slice domain, struct arena *a, struct limit_list *out,
                     struct err *err)
{
    (void)context;
    (void)a;
    (void)err;
    asked++;
    *out = (struct limit_list){limits, slice_starts(domain, SLICE("free")) ? 0 : limit_count};
    return 0;
}

static struct limit *limit_add(const char *name, uint64_t max, enum limit_action action)
{
    struct limit *l = &limits[limit_count++];

    *l = (struct limit){.max = max, .action = action};
    TG_IGNORE(limit_parse_name(slice_str(name), &arena, l, NULL));
    return l;
}

static bool limit_check_same(const struct limit_check *a, const struct limit_check *b)
{
    return a->scope == b->scope && a->metric == b->metric && a->window_ms == b->window_ms &&
           slice_equal(a->holder, b->holder) && slice_equal(a->subject, b->subject) &&
           a->amount == b->amount && a->stops == b->stops && a->test_count == b->test_count;
}

/* Held, written down and read again, the message wants the same. */
static bool held_same(const struct limit_checks *d, const struct facts *f,
                      const struct limit_source *source)
{
    struct record held = {.kind = RECORD_HELD,
                          .client_ip = f->client_ip,
                          .wanted = d->legs,
                          .wanted_count = d->leg_count};
    struct limit_checks again;
    struct buf body;
    bool same;

    buf_init(&body, 1 << 20);
    record_encode(&held, &body);
    same = record_decode(buf_slice(&body), &arena, &held, NULL) == 0 &&
           limit_checks_of_held(&held, source, &arena, &again, NULL) == 0 &&
           again.count == d->count && again.test_count == d->test_count;
    for (size_t i = 0; same && i < d->count; i++)
        same = limit_check_same(&d->list[i], &again.list[i]);
    buf_fini(&body);
    return same;
}

static struct limit_checks build_by(bool smtp, const char *auth, const char *client_ip,
                                    const char *from, const char *const *to)
{
    static struct address recipients[8];
    struct facts f = {.smtp = smtp,
                      .client_ip = slice_str(client_ip),
                      .auth = slice_str(auth),
                      .recipients = recipients,
                      .bytes = 1000};
    struct limit_source source = {.server = server,
                                  .client = client,
                                  .client_v6_prefix = 64,
                                  .of_holder = of_holder,
                                  .customer_of = customer_of,
                                  .user_has_windows = may_have_windows};
    struct classified c;
    struct limit_checks d = {0};

    TG_IGNORE(address_parse(slice_str(from), &arena, &f.sender, NULL));
    for (; to[f.recipient_count] != NULL; f.recipient_count++)
        TG_IGNORE(address_parse(slice_str(to[f.recipient_count]), &arena,
                                &recipients[f.recipient_count], NULL));
    asked = 0;
    OK(classify(&f, hosted, NULL, &arena, &c, NULL) == 0 &&
           limit_checks_build(&c, &f, hosted, &exemptions, &source, &arena, &d, NULL) == 0,
       "classified and demanded");
    asked_to_build = asked;
    OK(held_same(&d, &f, &source), "the same when it was held");
    return d;
}

static struct limit_checks build(const char *auth, const char *client_ip, const char *from,
                                 const char *const *to)
{
    return build_by(true, auth, client_ip, from, to);
}

#define TO(...)                                                                                    \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static const struct limit_check *find(const struct limit_checks *d, enum limit_scope scope,
                                      enum limit_metric metric, const char *holder)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->list[i].scope == scope && d->list[i].metric == metric &&
            slice_equal(d->list[i].holder, slice_str(holder)))
            return &d->list[i];
    }
    return NULL;
}

static uint64_t amount(const struct limit_checks *d, enum limit_scope scope,
                       enum limit_metric metric, const char *holder)
{
    const struct limit_check *found = find(d, scope, metric, holder);

    return found == NULL ? 0 : found->amount;
}

static void test_sent(void)
{
    struct limit_checks d = build("alice@example.com", "203.0.113.9", "x@gmail.test",
                                  TO("a@one.test", "b@two.test", "bob@example.com", "c@one.test"));

    IS_INT(amount(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com"), 3,
           "out recipients of the login's domain, local ones not");
    IS_INT(amount(&d, LIMIT_DOMAIN, METRIC_BYTES, "example.com"), 2000, "bytes a destination");
    IS_INT(amount(&d, LIMIT_USER, METRIC_MESSAGES, "example.com"), 1, "the user's messages");
    IS_SLICE(find(&d, LIMIT_USER, METRIC_MESSAGES, "example.com")->subject,
             SLICE("alice@example.com"), "of the login");
    OK(find(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com")->test_count == 2,
       "two limits of one window are two tests of one check");
    OK(find(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "gmail.test") == NULL,
       "the forged sender's domain is not asked");
    d = build("alice@example.com", "203.0.113.9", "alice@example.com", TO("bob@example.com"));
    IS_INT(d.count, 0, "local mail wants nothing");
    d = build("", "203.0.113.9", "alice@example.com", TO("bob@example.com"));
    IS_INT(d.count, 0, "a stranger's mail wants nothing");
}

static void test_forwarded(void)
{
    struct limit_checks d = build("", "203.0.113.9", "x@gmail.test", TO("sales@example.com"));
    const struct limit_check *found = find(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com");

    OK(found != NULL && found->amount == 1 && !found->stops,
       "a forwarder consumes, without stopping");
    OK(!limit_check_stops(found, found->tests[0]), "so its limit does not stop");
    limits[0].forwards = true;
    OK(limit_check_stops(found, found->tests[0]), "but one with forwards = true does");
    limits[0].forwards = false;
    d = build("alice@example.com", "203.0.113.9", "alice@example.com",
              TO("sales@example.com", "a@one.test"));
    found = find(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com");
    OK(found != NULL && found->amount == 2 && found->stops, "its own sending stops with all of it");
}

static void copy_add(enum hosted_copy kind, const char *key, const char *target)
{
    OK(hosted_add_copy(hosted, kind, slice_str(key), slice_str(target), NULL) == 0, target);
}

static void test_copies(void)
{
    struct limit whole = {.scope = LIMIT_SERVER, .metric = METRIC_RECIPIENTS, .max = 1};
    const struct limit_check *found;
    struct limit_checks d;

    copy_add(HOSTED_COPY_RECIPIENT, "watched@example.com", "copy@else.test");
    copy_add(HOSTED_COPY_SENDER, "archived@example.com", "archive@else.test");
    limit_count = 0;
    (void)limit_add("domain/recipients/hour", 10, ACTION_DEFER);
    (void)limit_add("domain/bytes/hour", 10000, ACTION_DEFER);
    server = (struct limit_list){&whole, 1};
    d = build("archived@example.com", "192.0.2.1", "archived@example.com", TO("x@gmail.test"));
    IS_INT(amount(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com"), 2,
           "a sender's copy is a recipient more");
    IS_INT(amount(&d, LIMIT_DOMAIN, METRIC_BYTES, "example.com"), 2000, "and bytes more");
    found = find(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com");
    OK(found != NULL && found->stops, "and may stop the message");
    d = build("bob@example.com", "192.0.2.1", "bob@example.com", TO("x@gmail.test"));
    IS_INT(amount(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com"), 1, "others have none");
    d = build("", "192.0.2.1", "s@else.test", TO("watched@example.com"));
    found = find(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com");
    OK(found != NULL && found->amount == 1 && !found->stops,
       "a copy of incoming mail consumes, without stopping it");
    d = build("", "192.0.2.1", "archived@example.com", TO("bob@example.com"));
    OK(find(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com") == NULL,
       "the copy of a sender from outside is not charged to the sender");
    found = find(&d, LIMIT_SERVER, METRIC_RECIPIENTS, "@server");
    OK(found != NULL && found->amount == 1 && !found->stops,
       "the server sends it, but its limit does not stop incoming mail");
    server = (struct limit_list){NULL, 0};
}

static void test_bounces(void)
{
    struct limit_checks d = build("", "203.0.113.9", "<>", TO("bob@example.com", "c@example.com"));

    IS_INT(amount(&d, LIMIT_DOMAIN, METRIC_BOUNCES, "example.com"), 1, "one bounce a domain");
    OK(find(&d, LIMIT_DOMAIN, METRIC_BOUNCES, "example.com")->stops, "which stops");
    IS_INT(amount(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com"), 0, "and nothing is sent");
}

static void test_own_bounces(void)
{
    struct limit_checks d = build_by(false, "", "", "<>", TO("bob@example.com"));
    const struct limit_check *bounces = find(&d, LIMIT_DOMAIN, METRIC_BOUNCES, "example.com");
    struct limit limit = {.action = ACTION_REJECT, .forwards = true};

    OK(bounces != NULL && bounces->amount == 1, "the mail server's own bounce counts");
    OK(!limit_check_stops(bounces, bounces->tests[0]), "but is not deferred");
    OK(!limit_check_stops(bounces, &limit), "nor rejected");
    limit.action = ACTION_HOLD;
    OK(limit_check_stops(bounces, &limit), "it may be held");
    d = build_by(false, "", "", "bob@example.com", TO("a@one.test"));
    OK(limit_check_stops(find(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com"), &limits[0]),
       "other mail of the sendmail command is stopped");
}

static void test_whole(void)
{
    static struct limit whole[2];
    struct limit_checks d = {0};

    whole[0] = (struct limit){.max = 5, .action = ACTION_DEFER};
    whole[1] = whole[0];
    TG_IGNORE(limit_parse_name(SLICE("server/messages/min"), &arena, &whole[0], NULL));
    TG_IGNORE(limit_parse_name(SLICE("client/recipients/min"), &arena, &whole[1], NULL));
    server = (struct limit_list){&whole[0], 1};
    client = (struct limit_list){&whole[1], 1};
    d = build("alice@example.com", "203.0.113.9", "alice@example.com",
              TO("a@one.test", "b@two.test"));
    IS_INT(amount(&d, LIMIT_SERVER, METRIC_MESSAGES, HOLDER_SERVER), 1, "the server's messages");
    IS_INT(amount(&d, LIMIT_CLIENT, METRIC_RECIPIENTS, HOLDER_CLIENT "203.0.113.9"), 2,
           "the client's recipients");
    d = build("", "203.0.113.9", "x@gmail.test", TO("sales@example.com"));
    OK(find(&d, LIMIT_SERVER, METRIC_MESSAGES, HOLDER_SERVER) != NULL &&
           !limit_check_stops(find(&d, LIMIT_SERVER, METRIC_MESSAGES, HOLDER_SERVER), &whole[0]) &&
           !limit_check_stops(
               find(&d, LIMIT_CLIENT, METRIC_RECIPIENTS, HOLDER_CLIENT "203.0.113.9"), &whole[1]),
       "mail that passes a forwarder counts for server and client, but is not stopped by them");
    d = build("alice@example.com", "2001:db8:1:2:3::4", "alice@example.com", TO("a@one.test"));
    IS_INT(amount(&d, LIMIT_CLIENT, METRIC_RECIPIENTS, HOLDER_CLIENT "2001:db8:1:2::/64"), 1,
           "an IPv6 client is its network");
    d = build("alice@example.com", "::ffff:203.0.113.9", "alice@example.com", TO("a@one.test"));
    IS_INT(amount(&d, LIMIT_CLIENT, METRIC_RECIPIENTS, HOLDER_CLIENT "203.0.113.9"), 1,
           "an IPv4-mapped one is IPv4");
    server = client = (struct limit_list){NULL, 0};
}

/* Limits of one user or client replace those of all. */
static void test_single(void)
{
    static struct limit of_clients[2];
    struct limit_checks d;

    for (size_t i = 0; i < 2; i++)
        of_clients[i] = (struct limit){.max = 5 + i, .action = ACTION_DEFER};
    TG_IGNORE(limit_parse_field(SLICE("client/messages/min"), &arena, &of_clients[0], NULL));
    TG_IGNORE(
        limit_parse_field(SLICE("203.0.113.9 client/messages/min"), &arena, &of_clients[1], NULL));
    client = (struct limit_list){of_clients, 2};
    d = build("alice@example.com", "203.0.113.9", "alice@example.com", TO("a@one.test"));
    OK(find(&d, LIMIT_CLIENT, METRIC_MESSAGES, HOLDER_CLIENT "203.0.113.9")->tests[0]->max == 6,
       "a client's own limit");
    OK(find(&d, LIMIT_CLIENT, METRIC_MESSAGES, HOLDER_CLIENT "203.0.113.9")->test_count == 1,
       "and no other");
    d = build("alice@example.com", "203.0.113.8", "alice@example.com", TO("a@one.test"));
    OK(find(&d, LIMIT_CLIENT, METRIC_MESSAGES, HOLDER_CLIENT "203.0.113.8")->tests[0]->max == 5,
       "that of all for another");
    client = (struct limit_list){NULL, 0};
    TG_IGNORE(limit_parse_field(SLICE("alice@example.com user/messages/day"), &arena,
                                limit_add("user/messages/day", LIMIT_UNLIMITED, ACTION_DEFER),
                                NULL));
    d = build("alice@example.com", "203.0.113.9", "alice@example.com", TO("a@one.test"));
    OK(find(&d, LIMIT_USER, METRIC_MESSAGES, "example.com") == NULL, "no limit for one user");
    d = build("bob@example.com", "203.0.113.9", "bob@example.com", TO("a@one.test"));
    OK(find(&d, LIMIT_USER, METRIC_MESSAGES, "example.com") != NULL, "another has his");
    limit_count--;
}

/* Whoever delivers a bounce, it is its recipient's: here example.com is exempt, and alice. */
static void test_exempt_bounces(void)
{
    IS_INT(build("", "198.51.100.1", "<>", TO("bob@example.com")).count, 0,
           "no bounce by SMTP to an exempt domain is limited");
    IS_INT(build_by(false, "", "", "<>", TO("bob@example.com")).count, 0,
           "nor one that was written on this host");
    strmap_fini(&exemptions.domains);
    strmap_init(&exemptions.domains);
    IS_INT(build_by(false, "", "", "<>", TO("alice@example.com")).count, 0, "an exempt user's");
    OK(build_by(false, "", "", "<>", TO("bob@example.com")).count > 0, "another's is limited");
}

static size_t count(const struct limit_checks *d, enum limit_metric metric)
{
    size_t n = 0;

    for (size_t i = 0; i < d->count; i++)
        n += d->list[i].scope == LIMIT_DOMAIN && d->list[i].metric == metric ? 1 : 0;
    return n;
}

static void test_windows(void)
{
    struct limit_checks d;

    (void)limit_add("domain/recipients/day", 900, ACTION_DEFER);
    d = build("alice@example.com", "203.0.113.9", "alice@example.com", TO("a@one.test"));
    IS_INT(count(&d, METRIC_RECIPIENTS), 2, "two windows of one metric are two checks");
    limit_count--;
}

static void test_unattributed(void)
{
    struct limit_checks d =
        build("nobody", "203.0.113.9", "x@gmail.test", TO("a@one.test", "b@two.test"));

    IS_INT(d.count, 0, "mail without an owner has no limits of a domain");
}

/* Whose owners have no limits, of them no amounts are made. */
static void test_free(void)
{
    struct limit_checks d = build("fred@free.example", "203.0.113.9", "fred@free.example",
                                  TO("a@one.test", "b@one.test"));
    const char *bounced[7] = {[5] = "a@example.com"};
    char names[5][32];

    OK(d.count == 0 && d.leg_count == 0 && asked_to_build == 1, "no limits: no legs");
    d = build("", "198.51.100.1", "<>", TO("x@free.example", "a@example.com"));
    OK(d.count == 1 && amount(&d, LIMIT_DOMAIN, METRIC_BOUNCES, "example.com") == 1,
       "of two domains only the second has limits");
    IS_INT(asked_to_build, 2, "each was asked for once");
    for (size_t i = 0; i < 5; i++) {
        struct slice domain;

        (void)snprintf(names[i], sizeof names[i], "x@free-%zu.example", i);
        domain = slice_str(names[i] + 2);
        TG_IGNORE(hosted_add_domain(hosted, domain, SLICE_NONE, NULL));
        bounced[i] = names[i];
    }
    d = build("", "198.51.100.1", "<>", bounced);
    OK(d.count == 1 && amount(&d, LIMIT_DOMAIN, METRIC_BOUNCES, "example.com") == 1,
       "more domains than are remembered");
}

static void test_exempt_target(void)
{
    (void)strmap_add(&exemptions.recipients, SLICE("x@partner.test"), NULL);
    IS_INT(build("", "203.0.113.9", "x@gmail.test", TO("sales@example.com")).count, 0,
           "the target of a forwarder can be exempt");
    strmap_fini(&exemptions.recipients);
    strmap_init(&exemptions.recipients);
}

static void test_exempt(void)
{
    struct limit_checks d = {0};

    (void)strmap_add(&exemptions.recipients, SLICE("b@two.test"), NULL);
    d = build("alice@example.com", "203.0.113.9", "alice@example.com",
              TO("a@one.test", "b@two.test"));
    IS_INT(amount(&d, LIMIT_DOMAIN, METRIC_RECIPIENTS, "example.com"), 1, "only that recipient");
    (void)strmap_add(&exemptions.users, SLICE("alice@example.com"), NULL);
    d = build("alice@example.com", "203.0.113.9", "alice@example.com", TO("a@one.test"));
    IS_INT(d.count, 0, "an exempt user");
    d = build("carol@example.com", "203.0.113.9", "carol@example.com", TO("a@one.test"));
    OK(d.count > 0, "not another of the domain");
    TG_IGNORE(hosted_add_network(hosted, &exemptions.clients, SLICE("203.0.113.0/24"), NULL));
    d = build("carol@example.com", "203.0.113.9", "carol@example.com", TO("a@one.test"));
    IS_INT(d.count, 0, "an exempt client");
    (void)strmap_add(&exemptions.domains, SLICE("example.com"), NULL);
    d = build("carol@example.com", "198.51.100.1", "carol@example.com", TO("a@one.test"));
    IS_INT(d.count, 0, "an exempt domain");
    test_exempt_bounces();
}

static bool only_alice(void *context, struct slice domain, struct slice user)
{
    (void)context;
    return slice_equal(domain, SLICE("example.com")) &&
           slice_equal(user, SLICE("alice@example.com"));
}

/* Users without windows of their own share one. */
static void test_other_users(void)
{
    struct limit_checks d;
    const struct limit_check *found;

    may_have_windows = only_alice;
    (void)limit_add("user/bounces/day", 5, ACTION_DEFER);
    d = build("", "198.51.100.1", "<>", TO("bob@example.com", "carol@example.com"));
    found = find(&d, LIMIT_USER, METRIC_BOUNCES, "example.com");
    OK(found != NULL && found->amount == 2, "two users: one check with both amounts");
    IS_SLICE(found->subject, SLICE("_other"), "of the others");
    d = build("", "198.51.100.1", "<>", TO("alice@example.com"));
    IS_SLICE(find(&d, LIMIT_USER, METRIC_BOUNCES, "example.com")->subject,
             SLICE("alice@example.com"), "who may has a window of her own");
    limit_count--;
    may_have_windows = NULL;
}

/* One check of the customer for all of its domains that the message is charged to. */
static void test_customer(void)
{
    struct limit_checks d;
    const struct limit_check *found;

    TG_IGNORE(hosted_add_domain(hosted, SLICE("two.example"), SLICE_NONE, NULL));
    TG_IGNORE(hosted_add_domain(hosted, SLICE("else.example"), SLICE_NONE, NULL));
    TG_IGNORE(hosted_add_customer(hosted, SLICE("example.com"), SLICE("4711"), NULL));
    TG_IGNORE(hosted_add_customer(hosted, SLICE("two.example"), SLICE("4711"), NULL));
    TG_IGNORE(hosted_add_customer(hosted, SLICE("else.example"), SLICE("4712"), NULL));
    (void)limit_add("customer/bounces/day", 9, ACTION_REJECT);
    (void)limit_add("customer/recipients/day", 9, ACTION_DEFER);
    d = build(
        "", "198.51.100.1", "<>",
        TO("a@example.com", "b@example.com", "c@two.example", "d@else.example", "e@free.example"));
    IS_INT(amount(&d, LIMIT_CUSTOMER, METRIC_BOUNCES, "@customer:4711"), 2, "two domains of one");
    IS_INT(amount(&d, LIMIT_CUSTOMER, METRIC_BOUNCES, "@customer:4712"), 1, "one of another");
    found = find(&d, LIMIT_CUSTOMER, METRIC_BOUNCES, "@customer:4711");
    OK(found->members->count == 2 && limit_check_is_of(found, SLICE("two.example")) &&
           limit_check_is_of(found, SLICE("example.com")) &&
           !limit_check_is_of(found, SLICE("else.example")),
       "it knows its domains");
    d = build("", "203.0.113.9", "x@gmail.test", TO("sales@example.com"));
    found = find(&d, LIMIT_CUSTOMER, METRIC_RECIPIENTS, "@customer:4711");
    OK(found != NULL && !found->stops, "a forwarder consumes, without stopping");
    d = build("alice@example.com", "203.0.113.9", "alice@example.com",
              TO("sales@example.com", "a@one.test"));
    found = find(&d, LIMIT_CUSTOMER, METRIC_RECIPIENTS, "@customer:4711");
    OK(found != NULL && found->amount == 2 && found->stops, "its own sending stops with all of it");
    limit_count -= 2;
}

int main(void)
{
    arena_init(&arena, 1 << 22);
    hosted = hosted_new(1 << 22);
    TG_IGNORE(hosted_add_domain(hosted, SLICE("example.com"), SLICE_NONE, NULL));
    TG_IGNORE(hosted_add_domain(hosted, SLICE("free.example"), SLICE_NONE, NULL));
    TG_IGNORE(
        hosted_add_forward(hosted, SLICE("sales@example.com"), SLICE("x@partner.test"), NULL));
    (void)limit_add("domain/recipients/hour", 500, ACTION_DEFER);
    (void)limit_add("domain/recipients/hour", 600, ACTION_REJECT);
    (void)limit_add("domain/bytes/day", 1 << 30, ACTION_DEFER);
    (void)limit_add("user/messages/day", 100, ACTION_DEFER);
    (void)limit_add("domain/bounces/hour", 10, ACTION_DEFER);
    test_sent();
    test_forwarded();
    test_bounces();
    test_own_bounces();
    test_whole();
    test_single();
    test_free();
    test_other_users();
    test_customer();
    test_windows();
    test_unattributed();
    test_exempt_target();
    test_exempt();
    test_copies();
    strmap_fini(&exemptions.users);
    strmap_fini(&exemptions.domains);
    strmap_fini(&exemptions.recipients);
    hosted_free(hosted);
    arena_fini(&arena);
    return tap_done();
}
