/* Classification of the copies that the MTA adds. */
#include "t/core/classify_fixture.h"

/* All decisions after the recipient's own, as `class account user target;`. */
static const char *copies_of(const struct facts *f)
{
    static char text[1024];
    struct classified got;
    size_t len = 0, own = 0;

    text[0] = '\0';
    if (classify(f, w, NULL, &arena, &got, NULL) != 0)
        return "not classified";
    for (size_t i = 0; i < got.count; i++) {
        const struct decision *d = &got.decisions[i];

        own += d->target.len == 0;
        if (d->target.len > 0)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s %.*s %.*s %.*s;",
                                    classify_class_name(d->class_), SLICE_FMT(d->account),
                                    SLICE_FMT(d->user), SLICE_FMT(d->target));
    }
    OK(own == f->recipient_count, "each recipient has its own decision");
    return text;
}

static void copies_begin(void)
{
    hosted_begin();
    add_copy(HOSTED_COPY_RECIPIENT, "alice@example.com", "copy@else.test");
    add_copy(HOSTED_COPY_RECIPIENT, "both@example.com", "copy@else.test");
    add_copy(HOSTED_COPY_RECIPIENT, "sales@example.com", "x@gmail.test");
    add_copy(HOSTED_COPY_RECIPIENT, "@example.org", "archive@else.test");
    add_copy(HOSTED_COPY_RECIPIENT, "in@example.org", "bob@example.com");
    add_copy(HOSTED_COPY_RECIPIENT, "far@partner.test", "watch@else.test");
    add_copy(HOSTED_COPY_RECIPIENT, "copy@else.test", "again@else.test");
    add_copy(HOSTED_COPY_RECIPIENT, "chain@example.com", "sales@example.com");
    add_copy(HOSTED_COPY_SENDER, "carol@example.org", "sent@else.test");
    add_copy(HOSTED_COPY_SENDER, "@else.test", "strange@else.test");
    add_copy(HOSTED_COPY_SENDER, "dan@example.org", "copy@else.test");
    add_copy(HOSTED_COPY_SENDER, "eve@example.org", "bob@example.com");
}

static void test_copies(void)
{
    static const struct {
        struct mail_case mail;
        const char *want, *what;
    } cases[] = {
        {{"192.0.2.9", "", "s@gmail.test", "", "alice@example.com"},
         "forward example.com alice@example.com copy@else.test;",
         "of mail from outside"},
        {{"192.0.2.9", "", "s@gmail.test", "", "Alice+tag@example.com"},
         "forward example.com alice@example.com copy@else.test;",
         "the extension is cut"},
        {{"192.0.2.9", "", "s@gmail.test", "", "any@example.org"},
         "forward example.org any@example.org archive@else.test;",
         "of a whole domain"},
        {{"192.0.2.9", "", "s@gmail.test", "", "bob@example.com"}, "", "none"},
        {{"192.0.2.9", "", "s@gmail.test", "", "in@example.org"},
         "",
         "to a hosted address: nothing is added"},
        {{"192.0.2.9", "", "s@gmail.test", "", "chain@example.com"},
         "forward example.com chain@example.com x@gmail.test;",
         "to a hosted forwarder: it goes on, charged to whose copy it is"},
        {{"192.0.2.9", "", "s@gmail.test", "", "sales@example.com"},
         "forward example.com sales@example.com x@gmail.test;"
         "forward example.com sales@example.com x@gmail.test;",
         "beside a forwarder's target: both are sent"},
        {{"192.0.2.9", "", "", "", "alice@example.com"},
         "forward example.com alice@example.com copy@else.test;",
         "of a bounce from outside"},
        {{"-", "", "", "", "alice@example.com"}, "", "what the MTA itself writes has none"},
        {{"-", "", "www@example.com", "", "alice@example.com"},
         "forward example.com alice@example.com copy@else.test;",
         "of what the sendmail command brings"},
        {{"192.0.2.9", "bob@example.com", "bob@example.com", "", "alice@example.com"},
         "forward example.com alice@example.com copy@else.test;",
         "of local mail: the recipient's domain pays"},
        {{"192.0.2.9", "bob@example.com", "bob@example.com", "", "far@partner.test"},
         "out example.com bob@example.com watch@else.test;",
         "of a recipient elsewhere: as that recipient"},
        {{"192.0.2.9", "", "s@gmail.test", "", "far@partner.test"},
         "relay _unattributed  watch@else.test;",
         "of relayed mail"},
        {{"192.0.2.9", "carol@example.org", "carol@example.org", "", "z@yahoo.test"},
         "out example.org carol@example.org sent@else.test;",
         "of a sender"},
        {{"192.0.2.9", "bob@example.com", "Carol+x@example.org", "", "z@yahoo.test"},
         "out example.com bob@example.com sent@else.test;",
         "MAIL FROM decides whether, the login who pays"},
        {{"127.0.0.1", "", "carol@example.org", "", "bob@example.com"},
         "out example.org carol@example.org sent@else.test;",
         "of a sender to a hosted recipient"},
        {{"192.0.2.9", "eve@example.org", "eve@example.org", "", "z@yahoo.test"},
         "",
         "of a sender to a hosted address: nothing is added"},
        {{"192.0.2.9", "", "carol@example.org", "", "bob@example.com"},
         "out _unattributed  sent@else.test;",
         "of a sender from outside: nobody pays"},
        {{"192.0.2.9", "dan@example.org", "dan@example.org", "", "alice@example.com"},
         "forward example.com alice@example.com copy@else.test;",
         "one target gets one copy, whoever has it"},
        {{"192.0.2.9", "bob@example.com", "bob@example.com", "", "copy@else.test"},
         "out example.com bob@example.com again@else.test;",
         "a copy of a copy is none"},
    };
    struct facts f;

    copies_begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        facts_of(&cases[i].mail, &f);
        IS_STR(copies_of(&f), cases[i].want, cases[i].what);
        f.without_copies = true;
        OK(strlen(copies_of(&f)) == (strstr(cases[i].mail.to, "sales") != NULL ? 51 : 0),
           "unless they are not wanted");
    }
    hosted_free(w);
}

/* Postfix sends one copy to a target, and each recipient its own mail. */
static void test_copies_once(void)
{
    struct mail_case c = {.client = "192.0.2.9",
                          .auth = "bob@example.com",
                          .from = "carol@example.org",
                          .header = "",
                          .to = "alice@example.com"};
    struct address to[] = {address_of("alice@example.com"), address_of("both@example.com"),
                           address_of("copy@else.test")};
    struct facts f;

    copies_begin();
    facts_of(&c, &f);
    f.recipients = to;
    f.recipient_count = 3;
    IS_STR(copies_of(&f),
           "forward example.com alice@example.com copy@else.test;"
           "out example.com bob@example.com again@else.test;"
           "out example.com bob@example.com sent@else.test;",
           "two recipients with the same copy, who is a recipient, too");
    hosted_free(w);
}

/* The first go asks for all, and again where a copy's target is a forwarder or a domain asked. */
static void test_copies_asked(void)
{
    struct mail_case c = {.client = "192.0.2.9",
                          .auth = "bob@example.com",
                          .from = "carol@example.org",
                          .header = "",
                          .to = "alice@example.com"};
    struct slice elsewhere = SLICE("Copy@Else.test"), bad = SLICE("<bad");
    struct answer copy = {.found = true, .targets = {&elsewhere, 1}},
                  junk = {.found = true, .targets = {&bad, 1}};
    struct answers answers;
    struct classified got;
    struct facts f;

    hosted_begin();
    w->copies_asked[HOSTED_COPY_RECIPIENT] = w->copies_asked[HOSTED_COPY_SENDER] = true;
    facts_of(&c, &f);
    answers_init(&answers, &arena);
    OK(classify(&f, w, &answers, &arena, &got, NULL) == 1 && answers.open_count == 2 &&
           answers.open[0].kind == QUESTION_RECIPIENT_COPY &&
           answers.open[1].kind == QUESTION_SENDER_COPY,
       "both maps are asked");
    IS_SLICE(answers.open[0].key, SLICE("alice@example.com"), "for the recipient");
    IS_SLICE(answers.open[1].key, SLICE("carol@example.org"), "and for the sender");
    OK(answers_put(&answers, QUESTION_RECIPIENT_COPY, SLICE("alice@example.com"), &copy) == 0 &&
           answers_put(&answers, QUESTION_SENDER_COPY, SLICE("carol@example.org"), &junk) == 0,
       "answered");
    answers_none_open(&answers);
    OK(classify(&f, w, &answers, &arena, &got, NULL) == 0 && got.count == 2 &&
           got.decisions[1].rule == RULE_RECIPIENT_COPY,
       "what is no address gets no copy");
    IS_SLICE(got.decisions[1].target, SLICE("copy@else.test"), "the target");
    IS_SLICE(got.decisions[1].destination, SLICE("else.test"), "and its domain");
    answers_fini(&answers);
    hosted_free(w);
}

int main(void)
{
    arena_init(&arena, 16 << 20);
    test_copies();
    test_copies_once();
    test_copies_asked();
    arena_fini(&arena);
    return tap_done();
}
