/* The session: what MTAs send and what it makes of it, beyond the classification cases. */
#include "t/tap.h"

#include "milter/envelope.h"
#include "t/milter/play.h"

#define POSTFIX  "Postfix 3.7.11"
#define SENDMAIL "8.17.1.9"

static struct hosted *hosted;

static void hosted_make(void)
{
    struct err err;

    hosted = hosted_new((size_t)1 << 20);
    OK(hosted != NULL && hosted_add_domain(hosted, SLICE("example.com"), SLICE_NONE, &err) == 0 &&
           hosted_add_domain(hosted, SLICE("example.org"), SLICE_NONE, &err) == 0 &&
           hosted_set_default_domain(hosted, SLICE("example.org"), &err) == 0 &&
           hosted_add_network(hosted, &hosted->host, SLICE("127.0.0.0/8"), &err) == 0 &&
           hosted_add_network(hosted, &hosted->host, SLICE("::1"), &err) == 0 &&
           hosted_add_network(hosted, &hosted->customers, SLICE("198.51.100.0/24"), &err) == 0,
       "a hosted");
}

static void version(struct play *p, const char *text)
{
    p->macros = (struct session_macros){.version = slice_str(text)};
}

static void outside(struct play *p, const char *mta)
{
    version(p, mta);
    (void)play_connect(p, "client.test", FAMILY_INET, 4711, "203.0.113.9");
}

/* One message of that sender and recipient, 10 bytes of body: 12 in all. */
static struct session_action deliver(struct play *p, const char *from, const char *to)
{
    (void)play_mail(p, from);
    (void)play_rcpt(p, to);
    session_body(p->session, 10);
    return play_end(p);
}

/* --- bytes --- */

struct bytes_case {
    const char *name, *value;
    uint64_t want; /* of the header alone, line end included */
};

static void test_bytes(void)
{
    static const struct bytes_case cases[] = {
        {"Subject", " hello", 16},
        {"X", "nospace", 11},
        {"X", "", 4},
        {"X", "\n folded", 3 + 8 + 2},
        {"X", " a\n b\n\tc", 2 + 8 + 2 + 2},
        {"X", " a\r\n b", 2 + 6 + 2},
        {"X", "\tv", 6},
        {"X", "  two  ", 11},
        {"X", "\n", 2 + 1 + 2 + 1},
    };
    struct play p;

    play_init(&p, hosted);
    outside(&p, POSTFIX);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)play_mail(&p, "<a@b.test>");
        (void)play_rcpt(&p, "<alice@example.com>");
        play_header(&p, cases[i].name, cases[i].value);
        (void)play_end(&p);
        IS_INT(p.record.bytes, cases[i].want + 2, "bytes of a header");
    }
    (void)play_mail(&p, "<a@b.test>");
    (void)play_rcpt(&p, "<alice@example.com>");
    session_header(p.session, SLICE("X"), SLICE("v"), 1);
    session_body(p.session, 65535);
    session_body(p.session, 1);
    (void)play_end(&p);
    IS_INT(p.record.bytes, 6 + 2 + 65536, "a blank that the MTA took off counts, and all chunks");
    play_fini(&p);
}

/* --- who sends --- */

static void test_origins(void)
{
    struct play p;

    play_init(&p, hosted);
    outside(&p, POSTFIX);
    (void)deliver(&p, "<a@b.test>", "<alice@example.com>");
    IS_INT(play_counter(&p, "example.com", COUNTER_IN_MESSAGES), 1, "from outside");
    IS_INT(play_counter(&p, "example.com", COUNTER_IN_BYTES), 12, "with its bytes");
    p.macros.auth_authen = SLICE("bob@example.org");
    (void)deliver(&p, "<alice@example.com>", "<x@y.test>");
    IS_INT(play_counter(&p, "example.org", COUNTER_OUT_MESSAGES), 1, "the login pays");
    p.macros.auth_authen = SLICE_NONE;
    (void)deliver(&p, "<alice@example.com>", "<x@y.test>");
    IS_INT(play_counter(&p, "_unattributed", COUNTER_RELAY_MESSAGES), 1,
           "a login is of its message, not of the connection");
    (void)play_connect(&p, "mx.test", FAMILY_INET6, 25, "::1");
    (void)deliver(&p, "<alice@example.com>", "<x@y.test>");
    IS_INT(play_counter(&p, "example.com", COUNTER_OUT_MESSAGES), 1, "IPv6 loopback is the host");
    (void)play_connect(&p, "customer.test", FAMILY_INET, 25, "198.51.100.7");
    (void)deliver(&p, "<alice@example.com>", "<x@y.test>");
    IS_INT(play_counter(&p, "example.com", COUNTER_OUT_MESSAGES), 1, "a customer's network");
    (void)play_connect(&p, "unknown", FAMILY_UNKNOWN, 0, NULL);
    (void)deliver(&p, "<alice@example.com>", "<x@y.test>");
    IS_INT(play_counter(&p, "_unattributed", COUNTER_RELAY_MESSAGES), 1, "nobody knows: outside");
    p.macros.version = SLICE("8.17.1.9");
    for (size_t i = 0; i < 3; i++) {
        static const char *const addresses[] = {"", "0", "192.0.2.9"};

        p.macros.client_addr = slice_str(addresses[i]);
        (void)play_connect(&p, "localhost", FAMILY_UNKNOWN, 0, NULL);
        (void)deliver(&p, "<alice@example.com>", "<x@y.test>");
        IS_INT(play_counter(&p, "example.com", COUNTER_OUT_MESSAGES), i < 2,
               "sendmail -bs of Sendmail has no address, or 0");
    }
    p.macros.client_addr = SLICE_NONE;
    (void)play_connect(&p, "unknown", FAMILY_UNKNOWN, 0, NULL);
    (void)deliver(&p, "<alice@example.com>", "<x@y.test>");
    IS_INT(play_counter(&p, "_unattributed", COUNTER_RELAY_MESSAGES), 1,
           "a client of another name is not the host");
    p.macros.version = SLICE("Postfix 3.7.11");
    (void)play_connect(&p, "localhost", FAMILY_UNKNOWN, 0, NULL);
    (void)deliver(&p, "<alice@example.com>", "<x@y.test>");
    IS_INT(play_counter(&p, "_unattributed", COUNTER_RELAY_MESSAGES), 1, "nor is one of Postfix");
    p.macros.client_addr = SLICE("198.51.100.7");
    (void)play_connect(&p, "unknown", FAMILY_UNKNOWN, 0, NULL);
    (void)deliver(&p, "<alice@example.com>", "<x@y.test>");
    IS_INT(play_counter(&p, "example.com", COUNTER_OUT_MESSAGES), 1, "{client_addr} helps then");
    play_fini(&p);
}

/* Postfix's pickup: no brackets, port 0, macros as typed. */
static void test_pickup(void)
{
    struct play p;

    play_init(&p, hosted);
    version(&p, POSTFIX);
    (void)play_connect(&p, "localhost", FAMILY_INET, 0, "127.0.0.1");
    OK(!session_is_smtp(p.session), "the sendmail command is no SMTP");
    p.macros.mail_addr = SLICE("root");
    (void)play_mail(&p, "root");
    p.macros.rcpt_addr = SLICE("x@y.test");
    (void)play_rcpt(&p, "x@y.test");
    (void)play_end(&p);
    IS_INT(play_counter(&p, "example.org", COUNTER_OUT_MESSAGES), 1,
           "a sender without a domain is one of the default domain");
    p.macros = (struct session_macros){.mail_addr = SLICE("")};
    (void)deliver(&p, "", "alice@example.com");
    IS_INT(play_counter(&p, "example.com", COUNTER_BOUNCES_RECEIVED), 1,
           "an empty argument is the null sender: a bounce of our own MTA");
    (void)play_connect(&p, "localhost", FAMILY_INET, 40001, "127.0.0.1");
    OK(session_is_smtp(p.session), "with a port it is SMTP");
    (void)play_connect(&p, "other.test", FAMILY_INET, 0, "127.0.0.1");
    OK(session_is_smtp(p.session), "with another name too");
    play_fini(&p);
}

static void test_null_sender(void)
{
    struct play p;

    play_init(&p, hosted);
    outside(&p, POSTFIX);
    p.macros.mail_addr = SLICE("");
    (void)deliver(&p, "<>", "<alice@example.com>");
    IS_INT(play_counter(&p, "example.com", COUNTER_BOUNCES_RECEIVED), 1, "<> is a bounce");
    p.macros.mail_addr = SLICE_NONE;
    (void)deliver(&p, "<>", "<alice@example.com>");
    IS_INT(play_counter(&p, "example.com", COUNTER_BOUNCES_RECEIVED), 1, "without a macro too");
    p.macros.mail_addr = SLICE("joe@b.test");
    (void)deliver(&p, "<joe@b.test>", "<alice@example.com>");
    IS_INT(play_counter(&p, "example.com", COUNTER_BOUNCES_RECEIVED), 0, "a sender is none");
    (void)deliver(&p, "<\xff\xfe nonsense", "<alice@example.com>");
    IS_INT(play_counter(&p, "example.com", COUNTER_BOUNCES_RECEIVED), 0,
           "a sender that is no address is not the null sender");
    IS_INT(play_counter(&p, "example.com", COUNTER_IN_MESSAGES), 1, "and its message counts");
    play_fini(&p);
}

/* --- which address --- */

struct rcpt_case {
    const char *mta, *argument, *addr, *mailer, *host; /* NULL: no such macro */
    const char *account; /* where it counts as in; "": as relay; NULL: nowhere */
    const char *what;
};

static const struct rcpt_case rcpt_cases[] = {
    {POSTFIX, "<ALICE@EXAMPLE.COM>", "alice@example.com", "virtual", "example.com", "example.com",
     "Postfix: the macro is canonical"},
    {POSTFIX, "<alice%example.com@mx.test>", "alice@example.com", "local", "mx.test", "example.com",
     "Postfix: the percent hack is resolved in the macro"},
    {POSTFIX, "<@a.test,@b.test:alice@example.com>", NULL, NULL, NULL, "example.com",
     "a source route, without macros"},
    {POSTFIX, "<alice>", "alice@example.com", "local", "", "example.com",
     "Postfix: the macro has the domain that the argument lacks"},
    {POSTFIX, "<alias@example.com>", "alias@example.com", "error",
     "5.1.1 User unknown in virtual alias table", "example.com",
     "Postfix: an alias is no error, whatever its mailer says"},
    {POSTFIX, "<alias@example.com>", "User unknown in virtual alias table", "error",
     "5.1.1 User unknown", "example.com", "Postfix: a text is no address; the argument counts"},
    {POSTFIX, "<nobody@example.com>", "5.1.1 <nobody@example.com>: Recipient address rejected",
     "error", "5.1.1", NULL, "a refused recipient is not counted"},
    {POSTFIX, "<nobody@example.com>", "Relay access denied", "error", "4.7.1", NULL,
     "a deferred one neither"},
    {POSTFIX, "<alice@example.com.>", NULL, NULL, NULL, "example.com", "a trailing dot"},
    {POSTFIX, "alice@example.com", NULL, NULL, NULL, "example.com", "no brackets"},
    {POSTFIX, "<user@[203.0.113.7]>", "user@[203.0.113.7]", "local", "", "",
     "an address literal is not hosted"},
    {SENDMAIL, "<Alice@Example.COM>", "alice", "local", "", "example.com",
     "Sendmail: the macro has no domain for local users; the argument counts"},
    {SENDMAIL, "<alice>", "alice", "local", "", "example.org",
     "Sendmail: no domain at all: the default domain"},
    {SENDMAIL, "<x@y.test>", "x@y.test", "esmtp", "y.test.", "", "Sendmail: elsewhere"},
    {NULL, "<ALICE@example.com>", "other@example.org", "smtp", "y.test", "example.com",
     "an unknown MTA: the argument"},
};

static void test_recipients(void)
{
    struct play p;
    unsigned before;

    play_init(&p, hosted);
    for (size_t i = 0; i < sizeof rcpt_cases / sizeof rcpt_cases[0]; i++) {
        const struct rcpt_case *c = &rcpt_cases[i];

        outside(&p, c->mta);
        p.macros.mail_addr = SLICE("a@b.test");
        p.macros.rcpt_addr = slice_str(c->addr);
        p.macros.rcpt_mailer = slice_str(c->mailer);
        p.macros.rcpt_host = slice_str(c->host);
        before = p.records;
        OK(deliver(&p, "<a@b.test>", c->argument).what == SESSION_CONTINUE, c->what);
        if (c->account == NULL)
            IS_INT(p.records, before, "nobody received it");
        else if (c->account[0] == '\0')
            IS_INT(play_counter(&p, "_unattributed", COUNTER_RELAY_RECIPIENTS), 1, "relay");
        else
            IS_INT(play_counter(&p, c->account, COUNTER_IN_RECIPIENTS), 1, c->account);
    }
    play_fini(&p);
}

/* virtusertable: Sendmail shows where the mail goes. */
static void test_live_forward(void)
{
    struct play p;

    play_init(&p, hosted);
    outside(&p, SENDMAIL);
    p.macros.rcpt_addr = SLICE("remote7@ext.test");
    p.macros.rcpt_mailer = SLICE("esmtp");
    (void)deliver(&p, "<a@b.test>", "<Fwd+x@Example.com>");
    IS_INT(play_counter(&p, "example.com", COUNTER_IN_MESSAGES), 1, "it came in");
    IS_INT(play_counter(&p, "example.com", COUNTER_FORWARD_RECIPIENTS), 1, "and went on");
    IS_INT(play_counter(&p, "example.com", COUNTER_FORWARD_BYTES), 12, "with its bytes");
    p.macros.rcpt_addr = SLICE("fwd@example.org");
    (void)deliver(&p, "<a@b.test>", "<fwd@example.com>");
    IS_INT(play_counter(&p, "example.com", COUNTER_FORWARD_RECIPIENTS), 0,
           "to a hosted domain it went nowhere");
    p.macros.rcpt_addr = SLICE("remote7@ext.test");
    (void)deliver(&p, "<a@b.test>", "<x@y.test>");
    IS_INT(play_counter(&p, "_unattributed", COUNTER_RELAY_RECIPIENTS), 1,
           "who is not hosted has no forwarder");
    outside(&p, POSTFIX);
    (void)deliver(&p, "<a@b.test>", "<fwd@example.com>");
    IS_INT(p.record.bytes, 12, "Postfix");
    IS_INT(play_counter(&p, "example.com", COUNTER_FORWARD_RECIPIENTS), 0,
           "never shows a forwarder so");
    play_fini(&p);
}

static void test_login_xtext(void)
{
    struct play p;

    play_init(&p, hosted);
    outside(&p, SENDMAIL);
    p.macros.auth_authen = SLICE("bob+2Btag+40example.org");
    (void)deliver(&p, "<>", "<x@y.test>");
    IS_INT(play_counter(&p, "example.org", COUNTER_OUT_MESSAGES), 1, "Sendmail's login is xtext");
    outside(&p, POSTFIX);
    p.macros.auth_authen = SLICE("bob+40@example.org");
    (void)deliver(&p, "<>", "<x@y.test>");
    IS_INT(play_counter(&p, "example.org", COUNTER_OUT_MESSAGES), 1, "Postfix's is not");
    play_fini(&p);
}

/* --- order of events --- */

static void test_several(void)
{
    struct play p;

    play_init(&p, hosted);
    outside(&p, POSTFIX);
    for (int i = 1; i <= 3; i++) {
        p.macros.queue_id = i == 2 ? SLICE_NONE : SLICE("4qid");
        OK(deliver(&p, "<a@b.test>", "<alice@example.com>").what == SESSION_CONTINUE, "accepted");
        IS_INT(p.records, i, "a record each");
        IS_INT(p.record.bytes, 12, "that begins at nothing");
        IS_INT(p.record.queue_id.len, i == 2 ? 0 : 4, "also without a queue id");
        OK(!session_is_open(p.session), "and is over");
        IS_INT(p.held, 0, "holding no hosted");
        IS_INT(session_memory_bytes(p.session) < 4096, 1, "nor memory");
    }
    play_fini(&p);
}

static void test_resets(void)
{
    struct play p;

    play_init(&p, hosted);
    outside(&p, POSTFIX);
    (void)play_mail(&p, "<a@b.test>");
    (void)play_rcpt(&p, "<x@y.test>");
    session_body(p.session, 1000);
    (void)deliver(&p, "<a@b.test>", "<alice@example.com>");
    IS_INT(p.record.bytes, 12, "MAIL after MAIL begins anew");
    IS_INT(play_counter(&p, "_unattributed", COUNTER_RELAY_MESSAGES), 0, "without old recipients");
    (void)play_mail(&p, "<a@b.test>");
    (void)play_rcpt(&p, "<alice@example.com>");
    session_abort(p.session);
    session_abort(p.session);
    OK(!session_is_open(p.session), "aborted, twice");
    (void)play_end(&p);
    IS_INT(p.records, 1, "the end of an aborted message counts nowhere");
    (void)play_mail(&p, "<a@b.test>");
    (void)session_helo(p.session);
    (void)play_rcpt(&p, "<alice@example.com>");
    (void)play_end(&p);
    IS_INT(p.records, 1, "HELO (after STARTTLS) ends a transaction");
    (void)deliver(&p, "<a@b.test>", "<alice@example.com>");
    IS_INT(play_counter(&p, "example.com", COUNTER_IN_MESSAGES), 1,
           "and the client is still known");
    session_close(p.session);
    session_close(p.session);
    IS_INT(p.held, 0, "closed, twice; no hosted is held");
    play_fini(&p);
}

static void test_disorder(void)
{
    struct play p;

    play_init(&p, hosted);
    OK(play_rcpt(&p, "<alice@example.com>").what == SESSION_CONTINUE, "RCPT before all");
    play_header(&p, "X", "y");
    session_body(p.session, 10);
    OK(play_end(&p).what == SESSION_CONTINUE, "an end of nothing");
    (void)play_mail(&p, "<a@b.test>");
    OK(play_end(&p).what == SESSION_CONTINUE, "an end without recipients");
    IS_INT(p.records, 0, "none of it counts");
    (void)deliver(&p, "<a@b.test>", "<alice@example.com>");
    IS_INT(p.records, 1, "a message without connect is one from outside");
    IS_INT(play_counter(&p, "example.com", COUNTER_IN_MESSAGES), 1, "and counts");
    play_fini(&p);
}

/* --- problem --- */

static bool is_reply(struct session_action a, const char *code, const char *enhanced)
{
    return a.what == SESSION_REPLY && strcmp(a.code, code) == 0 &&
           strcmp(a.enhanced, enhanced) == 0 && a.text[0] != '\0' && a.why != NULL;
}

static void test_problem(void)
{
    struct play p;

    play_init(&p, hosted);
    outside(&p, POSTFIX);
    p.journal_full = true;
    OK(is_reply(deliver(&p, "<a@b.test>", "<alice@example.com>"), "452", "4.3.1"), "journal full");
    IS_INT(p.records, 0, "nothing is counted");
    p.journal_full = false;
    OK(deliver(&p, "<a@b.test>", "<alice@example.com>").what == SESSION_CONTINUE, "room again");
    p.hosted = NULL;
    OK(is_reply(play_mail(&p, "<a@b.test>"), "451", "4.3.0"), "no hosted yet");
    IS_INT(p.held, 0, "nothing is held");
    OK(play_rcpt(&p, "<alice@example.com>").what == SESSION_CONTINUE &&
           play_end(&p).what == SESSION_CONTINUE,
       "what follows is let pass");
    IS_INT(p.records, 1, "uncounted");
    play_fini(&p);
}

static void test_questions(void)
{
    struct play p;
    struct hosted *asking = hosted_new((size_t)1 << 20);

    asking->domains_asked = asking->forwards_asked = true;
    play_init(&p, asking);
    outside(&p, POSTFIX);
    OK(deliver(&p, "<a@b.test>", "<alice@example.com>").what == SESSION_CONTINUE, "asked");
    OK(p.asked > 0 && p.records == 1, "with an answer it counts");
    IS_INT(play_counter(&p, "_unattributed", COUNTER_RELAY_MESSAGES), 1, "by the answer");
    p.sources_down = true;
    OK(is_reply(deliver(&p, "<a@b.test>", "<alice@example.com>"), "451", "4.3.0"), "no answer");
    OK(p.records == 1 && p.held == 0, "then it waits, and holds nothing");
    play_fini(&p);
    hosted_free(asking);
}

static void test_memory(void)
{
    struct play p;
    struct session_action a = {.what = SESSION_CONTINUE};
    char path[64];
    int taken = 0;

    play_init(&p, hosted);
    outside(&p, POSTFIX);
    (void)play_mail(&p, "<a@b.test>");
    while (taken < 1000000) {
        (void)snprintf(path, sizeof path, "<user%d@example.com>", taken);
        a = play_rcpt(&p, path);
        if (a.what != SESSION_CONTINUE)
            break;
        taken++;
    }
    OK(is_reply(a, "452", "4.5.3"), "too many recipients: no more of them");
    OK(taken > 10000 && session_memory_bytes(p.session) <= (size_t)16 << 20, "within the cap");
    OK(play_end(&p).what == SESSION_CONTINUE, "those taken are enough for a message");
    IS_INT(play_counter(&p, "example.com", COUNTER_IN_RECIPIENTS), taken,
           "that counts all of them");
    (void)play_connect(&p, "localhost", FAMILY_INET, 0, "127.0.0.1");
    (void)play_mail(&p, "root");
    for (int i = 0; i < 2 * taken; i++) {
        (void)snprintf(path, sizeof path, "user%d@example.com", i);
        if (play_rcpt(&p, path).what != SESSION_CONTINUE)
            OK(false, "a recipient of the sendmail command is never refused");
    }
    OK(is_reply(play_end(&p), "452", "4.5.3"), "then the message waits");
    play_fini(&p);
}

/* By what it says of itself, whatever it calls itself. */
static void test_mta(void)
{
    static const struct {
        const char *version;
        enum envelope_mta want;
    } cases[] = {
        {"Postfix 3.7.11", MTA_POSTFIX},
        {"ACME Mail 3.7.11", MTA_POSTFIX},
        {"Sendmail 3.10.1-RC1", MTA_POSTFIX},
        {" 3.7.11", MTA_POSTFIX},
        {"8.17.1.9", MTA_OTHER},
        {"AIX7.1/8.14.4", MTA_OTHER},
        {"Haraka", MTA_OTHER},
        {"Some Mail", MTA_OTHER},
        {"Mail ", MTA_OTHER},
        {"", MTA_OTHER},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        IS_INT(envelope_mta(slice_str(cases[i].version), true), cases[i].want, cases[i].version);
        IS_INT(envelope_mta(slice_str(cases[i].version), false),
               cases[i].want == MTA_POSTFIX ? MTA_POSTFIX_LOCAL : MTA_OTHER, "not by SMTP");
    }
}

int main(void)
{
    hosted_make();
    test_mta();
    test_bytes();
    test_origins();
    test_pickup();
    test_null_sender();
    test_recipients();
    test_live_forward();
    test_login_xtext();
    test_several();
    test_resets();
    test_disorder();
    test_problem();
    test_questions();
    test_memory();
    hosted_free(hosted);
    return tap_done();
}
