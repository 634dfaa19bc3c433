/* Deliveries to other servers: groups of recipients, what they count, and who pays. */
#include "t/collect/samples_fixture.h"

static struct fixture f;

#define LINE(time, tag, text) "Nov 28 " time " mx postfix/" tag ": " text "\n"
#define SMTP(time, text)      LINE(time, "smtp[7]", text)
#define ID                    "4jcCwf1Fxqz1d2nC"
#define RELAY                 "relay=mx.b.test[192.0.2.7]:25, "
#define SENT                  "dsn=2.0.0, status=sent (250 ok)"
#define BEGUN                                                                                      \
    LINE("10:00:00", "pickup[1]", ID ": uid=0 from=<u@host.test>")                                 \
    LINE("10:00:00", "qmgr[2]", ID ": from=<u@host.test>, size=1000, nrcpt=1 (queue active)")

static void check(const char *log, const char *want, const char *what)
{
    fixture_check(&f, &samples_part, log, want, what);
}

/* The same counters for the node, a domain and a user. */
static const char *for_all(const char *domain, const char *user, const char *counters)
{
    static char text[4096];
    const char *names[] = {"node", domain, user};
    size_t len = 0;

    for (size_t i = 0; i < 3; i++) {
        struct slice rest = slice_str(counters), line;

        while (names[i] != NULL && slice_cut(&rest, '\n', &line) && line.len > 0)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s smtp_out_%.*s\n", names[i],
                                    SLICE_FMT(line));
    }
    return text;
}

static void section(const char *title, const char *want)
{
    char *text = samples_section("collect/collector-samples.txt", title);
    char *here = samples_raw("collect/collector-samples.txt", title);

    for (int folds = 0; folds < 2; folds++) {
        fixture_init(&f, &samples_part);
        fixture_run(&f, folds ? FIXTURE_FOLDS : FIXTURE_WHOLE, slice_str(text));
        f.part->tick(&f.m, f.reached_ms + 20000); /* the last delivery has ended */
        IS_SLICE(fixture_text(&f, false), slice_str(want), title);
        fixture_fini(&f);
    }
    fixture_init(&f, &samples_part);
    fixture_run(&f, FIXTURE_WHOLE, slice_str(here));
    f.part->tick(&f.m, f.reached_ms + 20000);
    IS_SLICE(fixture_text(&f, false), SLICE(""), "to this host: nothing");
    fixture_fini(&f);
    free(text);
    free(here);
}

static void test_samples(void)
{
    section("4 Postfix", for_all("_unattributed", NULL,
                                 "connections 14\nfailed 1\nblocked 3\nbad_commands 2\n"
                                 "terminations 2\nrejected 2\nsent_bytes 13073\n"));
    section("5 Postfix", for_all("_unattributed", NULL,
                                 "connections 2\nconnection_seconds 6\nterminations 2\n"));
    section("6 Postfix", for_all("_unattributed", NULL,
                                 "connections 4\nfailed 1\nblocked 1\nterminations 1\n"
                                 "sent_bytes 280\n"));
    section("7 Postfix", for_all("_unattributed", NULL, "connections 1\n"));
    section("8 Postfix", for_all("_unattributed", NULL, "connections 1\n"));
    section("9 Postfix", "node smtp_out_failed 2\n_unattributed smtp_out_failed 1\n"
                         "host.test smtp_out_failed 1\nu@host.test smtp_out_failed 1\n");
}

#define END LINE("10:01:00", "qmgr[2]", ID ": removed")

static void test_groups(void)
{
    check(BEGUN SMTP("10:00:01", ID ": to=<a@b.test>, " RELAY "delay=1, delays=0/0/0.3/0.2, " SENT)
              SMTP("10:00:01", ID ": to=<b@b.test>, " RELAY "delay=1, delays=0/0/0.3/0.2, " SENT)
                  SMTP("10:00:02",
                       ID ": to=<c@b.test>, " RELAY "conn_use=2, delay=1, delays=0/0/0/0.5, " SENT)
                      SMTP("10:00:03", ID ": to=<d@b.test>, " RELAY
                                          "conn_use=3, delay=1, delays=0/0/0/0.999, " SENT) END,
          for_all("host.test", "u@host.test",
                  "connections 1\nconnection_seconds 1\nsent_bytes 3000\n"),
          "milliseconds add up: 0.5 + 0.5 + 0.999");
    check(BEGUN SMTP("10:00:01", ID ": to=<a@b.test>, " RELAY "delays=0/0/0/0, tls=x, " SENT)
              LINE("10:00:01", "smtp[8]", ID ": to=<b@b.test>, " RELAY "delays=0/0/0/0, " SENT)
                  SMTP("10:00:01", ID ": to=<c@b.test>, orig_to=<x, status=sent ( >, " RELAY
                                      "delays=0/0/0/0, future=word, " SENT) END,
          for_all("host.test", "u@host.test", "connections 2\nsent_bytes 2000\n"),
          "two processes; words that are not known");
    check(BEGUN SMTP("10:00:01", "connect to mx.b.test[192.0.2.6]:25: Connection timed out")
              SMTP("10:00:02", "connect to mx.b.test[2001:db8::6]:25: Network is unreachable")
                  SMTP("10:00:01", ID ": to=<a@b.test>, " RELAY "delays=0/0/0/0, " SENT) END,
          for_all("host.test", "u@host.test", "connections 1\nfailed 2\nsent_bytes 1000\n"),
          "servers that were away are the next line's");
    check(BEGUN SMTP("10:00:01",
                     ID ": to=<a@b.test>, relay=none, delays=0/0/5/0, dsn=4.4.3, status=deferred "
                        "(Host or domain name not found. Name service error for name=b.test "
                        "type=MX: Host not found, try again)") END,
          for_all("host.test", "u@host.test", "failed 1\n"), "the name service");
}

static void test_quoted(void)
{
    check(BEGUN SMTP("10:00:01", ID ": to=<\"a>, relay=none, status=bounced (host x said: 550 no) "
                                    "\\\"\"@b.test>, " RELAY "delays=0/0/0/0, " SENT) END,
          for_all("host.test", "u@host.test", "connections 1\nsent_bytes 1000\n"),
          "a recipient that looks like a reply");
}

static void test_replies(void)
{
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"dsn=4.7.1, status=deferred (Cannot start TLS: handshake failure)",
         "connections 1\nterminations 1\n"},
        {"dsn=5.5.4, status=bounced (host h[192.0.2.7] said: 501 5.5.4 no (in reply to MAIL FROM "
         "command))",
         "connections 1\nbad_commands 1\n"},
        {"dsn=4.5.3, status=deferred (host h[192.0.2.7] said: 452 4.5.3 too many (in reply to RCPT "
         "TO command))",
         "connections 1\n"},
        {"dsn=5.2.2, status=bounced (host h[192.0.2.7] said: 552 5.2.2 full (in reply to end of "
         "DATA command))",
         "connections 1\nrejected 1\nsent_bytes 1000\n"},
        {"dsn=5.1.1, status=undeliverable (host h[192.0.2.7] said: 550 5.1.1 no (in reply to RCPT "
         "TO command))",
         "connections 1\n"},
        {"dsn=4.2.0, status=deferred (host h[192.0.2.7] said: 450 4.2.0 later (in reply to RCPT "
         "TO command))",
         "connections 1\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char log[2000];

        (void)snprintf(log, sizeof log, BEGUN "%s%s\n" END,
                       "Nov 28 10:00:01 mx postfix/smtp[7]: " ID ": to=<a@b.test>, " RELAY
                       "delays=0/0/0/0, ",
                       rows[i].line);
        check(log, for_all("host.test", "u@host.test", rows[i].want), rows[i].line);
    }
}

#define INTERNAL(relay)                                                                            \
    BEGUN SMTP("10:00:01", ID ": to=<a@b.test>, relay=" relay ", delays=0/0/0/0, " SENT) END

static void test_internal(void)
{
    static struct slice relays[] = {{"store.host.test", 15},
                                    {"[192.0.2.20]:24", 15},
                                    {"192.0.2.21", 10},
                                    {"lists.test:2525", 15}};

    check(INTERNAL("mx[private/dovecot-lmtp]"), "", "a socket");
    check(INTERNAL("localhost[::1]:24"), "", "this host");
    f.rules.internal_relays = (struct machine_list){relays, 4};
    check(INTERNAL("store.host.test[192.0.2.22]:24"), "", "by name");
    check(INTERNAL("x[192.0.2.20]:24"), "", "by address and port");
    check(INTERNAL("x[192.0.2.21]:99"), "", "by address");
    check(INTERNAL("lists.test[192.0.2.23]:2525"), "", "by name and port");
    check(INTERNAL("lists.test[192.0.2.23]:25"),
          for_all("host.test", "u@host.test", "connections 1\nsent_bytes 1000\n"), "another port");
    check(INTERNAL("x[192.0.2.20]:25"),
          for_all("host.test", "u@host.test", "connections 1\nsent_bytes 1000\n"), "another port");
    f.rules.internal_relays = (struct machine_list){NULL, 0};
}

/* Pids are those of an instance. */
static void test_instances(void)
{
    check(
        BEGUN SMTP(
            "10:00:01",
            "connect to mx.b.test[192.0.2.6]:25: Connection timed out") "Nov 28 10:00:01 mx "
                                                                        "postfix-out/smtp[7]: "
                                                                        "4jcCwf1Fxqz1d2nD: "
                                                                        "to=<x@y.test>, " RELAY
                                                                        "delays=0/0/0/0, " SENT
                                                                        "\n" SMTP(
                                                                            "10:00:02", ID
                                                                            ": "
                                                                            "to=<a@b.test>, " RELAY
                                                                            "delays=0/0/0/0, " SENT)
                                                                            END,
        "node smtp_out_connections 2\nnode smtp_out_failed 1\nnode smtp_out_sent_bytes 1000\n"
        "_unattributed smtp_out_connections 1\nhost.test smtp_out_connections 1\n"
        "host.test smtp_out_failed 1\nhost.test smtp_out_sent_bytes 1000\n"
        "u@host.test smtp_out_connections 1\nu@host.test smtp_out_failed 1\n"
        "u@host.test smtp_out_sent_bytes 1000\n",
        "equal pids of two instances");
}

int main(void)
{
    test_samples();
    test_groups();
    test_quoted();
    test_replies();
    test_internal();
    test_instances();
    return tap_done();
}
