/* Sessions of SMTP clients: what counts, when, and for whom. */
#include "t/collect/samples_fixture.h"

#include "collect/smtpd_refused.h"

static struct fixture f;

#define AT(time) "Nov 28 " time " mx "
#define SMTPD(time, pid, text)                                                                     \
    AT(time)                                                                                       \
    "postfix/smtpd[" pid "]: " text "\n"
#define CLIENT "c.example[192.0.2.9]"

static void check(const char *log, const char *want, const char *what)
{
    fixture_check(&f, &samples_part, log, want, what);
}

static void test_samples(void)
{
    static const char one[] = "node smtp_in_connections 7\nnode smtp_in_connection_seconds 5\n"
                              "node smtp_in_bad_commands 8\nnode smtp_in_terminations 5\n";
    static const char two[] = "node smtp_in_connections 6\nnode smtp_in_connection_seconds 4\n"
                              "node smtp_in_bad_commands 7\nnode smtp_in_terminations 4\n";

    samples_check(&f, "collect/collector-samples.txt", "1 Postfix", one, one);
    samples_check(&f, "collect/collector-samples.txt", "2 Postfix", two, two);
}

static void test_login(void)
{
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("10:00:01", "1",
                    "4jcCwf1Fxqz1d2nC: client=" CLIENT ", sasl_method=PLAIN, sasl_username=joe")
                  SMTPD("10:00:02", "1",
                        "warning: Illegal address syntax from " CLIENT " in RCPT command: <>")
                      SMTPD("10:00:03", "1", "too many errors after RCPT from " CLIENT) SMTPD(
                          "10:00:03", "1",
                          "disconnect from " CLIENT " ehlo=2 auth=1/3 mail=1 rcpt=0/2 unknown=0/1 "
                          "commands=4/9"),
          "node smtp_in_connections 1\nnode smtp_in_connection_seconds 3\n"
          "node smtp_in_bad_commands 2\nnode smtp_in_terminations 1\nnode smtp_in_auth_failed 2\n"
          "host.test smtp_in_bad_commands 2\nhost.test smtp_in_terminations 1\n"
          "joe@host.test smtp_in_bad_commands 2\njoe@host.test smtp_in_terminations 1\n",
          "errors of a login; failed logins name nobody");
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("10:00:01", "1",
                    "NOQUEUE: reject: MAIL from " CLIENT
                    ": 553 5.7.1 <a@b.test>: Sender address rejected: not owned by user joe; "
                    "from=<a@b.test> proto=ESMTP helo=<x> sasl_username=<joe>")
                  SMTPD("10:00:02", "1",
                        "disconnect from " CLIENT " ehlo=1 auth=1 mail=0/1 quit=1 commands=3/4"),
          "node smtp_in_connections 1\nnode smtp_in_connection_seconds 2\nnode smtp_in_blocked 1\n"
          "host.test smtp_in_blocked 1\njoe@host.test smtp_in_blocked 1\n",
          "a reject line that names the login");
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("10:00:01", "1",
                    "NOQUEUE: reject: MAIL from " CLIENT
                    ": 553 5.7.1 <a@b.test>: Sender address rejected: no; from=<x "
                    "sasl_username=joe@host.test> proto=ESMTP helo=<x>")
                  SMTPD("10:00:02", "1",
                        "disconnect from " CLIENT " ehlo=1 mail=0/1 quit=1 commands=2/3"),
          "node smtp_in_connections 1\nnode smtp_in_connection_seconds 2\nnode smtp_in_blocked 1\n",
          "a login in an address is none");
}

#define REFUSED                                                                                    \
    "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org; "      \
    "from=<a@b.test> to=<u@host.test> proto=ESMTP helo=<x>"

static void test_blocked(void)
{
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("10:00:00", "1", "NOQUEUE: reject: RCPT from " CLIENT ": " REFUSED)
                  SMTPD("10:00:00", "1", "NOQUEUE: reject: RCPT from " CLIENT ": " REFUSED) SMTPD(
                      "10:00:00", "1",
                      "disconnect from " CLIENT " ehlo=1 mail=1 rcpt=0/2 quit=1 commands=3/5"),
          "node smtp_in_connections 1\nnode smtp_in_blocked 1\n", "blocked once a session");
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("10:00:00", "1", "NOQUEUE: reject: RCPT from " CLIENT ": " REFUSED) SMTPD(
                  "10:00:00", "1",
                  "disconnect from " CLIENT " ehlo=1 mail=2 rcpt=1/2 data=1 quit=1 commands=6/7"),
          "node smtp_in_connections 1\n", "not with an accepted message");
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("10:00:00", "1",
                    "warning: Connection rate limit exceeded: 3 from " CLIENT " for service smtp")
                  SMTPD("10:00:00", "1", "disconnect from " CLIENT " commands=0/0"),
          "node smtp_in_connections 1\nnode smtp_in_blocked 1\n", "anvil");
}

static const struct row {
    const char *stage, *text;
    bool is_refused;
} rows[] = {
    {"CONNECT", "554 5.7.1 <c[192.0.2.9]>: Client host rejected: Access denied; proto=SMTP", true},
    {"HELO", "501 5.5.2 <bad!>: Helo command rejected: Invalid name; proto=SMTP helo=<bad!>", true},
    {"MAIL", "550 5.7.1 No way; from=<y5@a.test> proto=ESMTP helo=<mx>", true},
    {"RCPT", "450 4.1.8 <nodot@foo>: Sender address rejected: Domain not found; from=<nodot@foo>",
     true},
    {"RCPT", "554 5.7.1 <x@ext.test>: Relay access denied; from=<joe@host.test>", true},
    {"RCPT", "550 5.1.1 <nosuch@host.test>: Recipient address rejected: User unknown; from=<>",
     false},
    {"RCPT", "550 5.1.1 <n@host.test>: Recipient address rejected: no; from=<Relay access denied>",
     false},
    {"RCPT", "450 4.2.0 <c[192.0.2.9]>: Client host rejected: Greylisted, see x; from=<>", false},
    {"RCPT", "550 5.7.1 <blocked@host.test>: Recipient address rejected: Access denied; from=<>",
     false},
    {"MAIL", "452 4.3.1 Insufficient system storage; proto=ESMTP helo=<ok.test>", false},
    {"MAIL", "552 5.3.4 Message size exceeds fixed limit; from=<u@y.test> proto=ESMTP", false},
    {"MAIL", "451 4.7.1 Service unavailable - try again later; from=<tf@a.test>", false},
    {"MAIL",
     "450 4.7.1 host.test: limit of 600 recipients per hour reached (600 used, 3 more wanted), try "
     "again in 12 minutes; from=<a@host.test> proto=ESMTP helo=<x>",
     false},
    {"RCPT", "", false},
    {"", "", false},
};

static void test_refused(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        OK(smtpd_refused(slice_str(rows[i].stage), slice_str(rows[i].text)) == rows[i].is_refused,
           rows[i].text);
}

static void test_filter(void)
{
    check(SMTPD("10:00:00", "1", "connect from localhost[127.0.0.1]") SMTPD(
              "10:00:01", "1",
              "4jcCwf1Fxqz1d2nC: client=localhost[127.0.0.1], orig_queue_id=4jcCwf1Fxqz1d2nB, "
              "orig_client=" CLIENT) SMTPD("10:00:09", "1",
                                           "disconnect from localhost[127.0.0.1] ehlo=1 xforward=1 "
                                           "mail=1 rcpt=1 data=1 unknown=0/1 commands=5"),
          "", "back from a content filter");
    check(SMTPD("10:00:00", "1", "connect from localhost[127.0.0.1]")
              SMTPD("10:00:01", "1", "4jcCwf1Fxqz1d2nC: client=localhost[127.0.0.1]")
                  SMTPD("10:00:09", "1",
                        "disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 "
                        "data=1 quit=1 commands=5"),
          "node smtp_in_connections 1\nnode smtp_in_connection_seconds 9\n",
          "a client of this host");
    check(SMTPD("10:00:00", "1", "connect from gw[192.0.2.7]")
              SMTPD("10:00:01", "1", "4jcCwf1Fxqz1d2nC: client=gw[192.0.2.7], orig_client=" CLIENT)
                  SMTPD("10:00:02", "1", "disconnect from gw[192.0.2.7] ehlo=1 commands=1"),
          "node smtp_in_connections 1\nnode smtp_in_connection_seconds 2\n",
          "XFORWARD of another host");
}

static void test_rules(void)
{
    static struct slice internal[] = {{"postfix/10025/smtpd", 19}};
    static struct network ignored[1];

    f.rules.internal = (struct machine_list){internal, 1};
    check(AT("10:00:00") "postfix/10025/smtpd[1]: connect from " CLIENT
                         "\n" AT("10:00:01") "postfix/10025/smtpd[1]: disconnect from " CLIENT
                                             " unknown=0/1 commands=0/1\n",
          "", "a service of its own");
    f.rules.internal = (struct machine_list){NULL, 0};
    OK(network_parse(SLICE("192.0.2.0/28"), &ignored[0], NULL) == 0, "a network");
    f.rules.ignore_clients = (struct networks){ignored, 1};
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("10:00:00", "1", "lost connection after CONNECT from " CLIENT)
                  SMTPD("10:00:00", "1", "disconnect from " CLIENT " commands=0/0"),
          "", "a health check");
    f.rules.ignore_clients = (struct networks){NULL, 0};
}

/* --- ends that are missing -------------------------------------------------------------------- */

static void test_lost_ends(void)
{
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("10:00:37", "1", "connect from " CLIENT)
                  SMTPD("10:00:38", "1", "disconnect from " CLIENT " quit=1 commands=1"),
          "node smtp_in_connections 2\nnode smtp_in_connection_seconds 38\n",
          "the process begins another");
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("13:00:00", "1", "connect from " CLIENT)
                  SMTPD("13:00:00", "1", "disconnect from " CLIENT " quit=1 commands=1"),
          "node smtp_in_connections 2\nnode smtp_in_connection_seconds 3600\n",
          "after an hour its time stands still");
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("12:59:00", "2", "connect from " CLIENT)
                  SMTPD("12:59:00", "2", "disconnect from " CLIENT " quit=1 commands=1")
                      SMTPD("13:00:00", "1", "disconnect from " CLIENT " quit=1 commands=1"),
          "node smtp_in_connections 2\nnode smtp_in_connection_seconds 10800\n",
          "an end that comes after all");
    check(
        SMTPD("10:00:00", "1", "connect from " CLIENT) SMTPD("10:00:00", "2",
                                                             "connect from " CLIENT)
            AT("10:00:00") "postfix-out/smtpd[1]: connect from " CLIENT "\n" AT(
                "10:00:20") "postfix/master[9]: daemon started -- version 3.7.11, configuration "
                            "/etc\n" AT("10:00:50") "postfix-out/smtpd[1]: disconnect from " CLIENT
                                                    " quit=1 commands=1\n" SMTPD(
                                                        "10:01:50", "1", "connect from " CLIENT)
                                                        SMTPD("10:01:51", "1",
                                                              "disconnect from " CLIENT
                                                              " quit=1 commands=1"),
        "node smtp_in_connections 4\nnode smtp_in_connection_seconds 91\n",
        "the daemons of one instance are started anew; equal pids");
    check(SMTPD("10:00:31", "1", "disconnect from " CLIENT " unknown=0/2 commands=0/2"),
          "node smtp_in_bad_commands 2\n", "a beginning that is not in the log");
}

static void test_lost_ends_told(void)
{
    static const struct {
        const char *name, *log;
        uint64_t lost;
    } cases[] = {
        {"an end that comes late",
         SMTPD("10:00:00", "1", "connect from " CLIENT)
             SMTPD("13:00:00", "1", "disconnect from " CLIENT " quit=1 commands=1"),
         0},
        {"the process begins another",
         SMTPD("10:00:00", "1", "connect from " CLIENT)
             SMTPD("10:00:37", "1", "connect from " CLIENT),
         1},
        {"the daemons are started anew",
         SMTPD("10:00:00", "1", "connect from " CLIENT) SMTPD("10:00:00", "2",
                                                              "connect from " CLIENT)
             AT("10:00:20") "postfix/master[9]: daemon started -- version 3.7.11, configuration "
                            "/etc\n",
         2},
        {"no end for a day",
         SMTPD("10:00:00", "1", "connect from " CLIENT) "2026-11-29T10:00:01+00:00 vm "
                                                        "postfix/smtpd[2]: connect from " CLIENT
                                                        "\n",
         1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        IS_INT(fixture_lost_ends(&f, &samples_part, cases[i].log), cases[i].lost, cases[i].name);
}

/* Each hour gets its part, also while the session is open. */
static void test_hours(void)
{
    static const char log[] = SMTPD("10:59:58", "1", "connect from " CLIENT)
        SMTPD("11:00:07", "1", "4jcCwf1Fxqz1d2nC: client=" CLIENT);

    fixture_init(&f, &samples_part);
    fixture_run(&f, FIXTURE_WHOLE, slice_str(log));
    IS_SLICE(fixture_text(&f, true),
             SLICE("2026-11-28T10 node smtp_in_connections 1\n"
                   "2026-11-28T10 node smtp_in_connection_seconds 2\n"),
             "accrued in steps of ten seconds");
    f.part->tick(&f.m, f.reached_ms + 8000);
    IS_SLICE(fixture_text(&f, true),
             SLICE("2026-11-28T10 node smtp_in_connections 1\n"
                   "2026-11-28T10 node smtp_in_connection_seconds 2\n"
                   "2026-11-28T11 node smtp_in_connection_seconds 10\n"),
             "to its own hour");
    fixture_fini(&f);
}

static void test_forms(void)
{
    check(SMTPD("10:00:00", "1", "connect from " CLIENT)
              SMTPD("10:00:00", "1", "timeout after DATA (4 bytes) from " CLIENT)
                  SMTPD("10:00:00", "1", "lost connection after DATA from " CLIENT)
                      SMTPD("10:00:00", "1", "disconnect from " CLIENT " ehlo=1 commands=1"),
          "node smtp_in_connections 1\nnode smtp_in_terminations 1\n", "a session ends once");
    check(SMTPD("10:00:00", "1", "connect from " CLIENT) SMTPD(
              "10:00:00", "1",
              "NOQUEUE: reject: DATA from " CLIENT
              ": 550 5.5.2 Error: bare <LF> received; from=<a@b.test>")
              SMTPD("10:00:00", "1",
                    "disconnect from " CLIENT " ehlo=1 future=0/3 mail=1 data=0/1 commands=2/7"),
          "node smtp_in_connections 1\nnode smtp_in_bad_commands 1\n",
          "a bare newline; commands that are not known");
    check(AT("10:00:00") "postfix/smtpd[1]: message repeated 3 times: [ warning: Illegal address "
                         "syntax from " CLIENT " in RCPT command: <>]\n",
          "node smtp_in_bad_commands 3\n", "repeated");
}

/* With smtpd_client_port_logging. */
static void test_ports(void)
{
    check(SMTPD("10:00:00", "1", "connect from c.example[2001:db8::9]:4001")
              SMTPD("10:00:00", "1",
                    "NOQUEUE: reject: RCPT from c.example[2001:db8::9]:4001: 554 5.7.1 <x@b.test>: "
                    "Relay access denied; from=<> to=<x@b.test> proto=ESMTP helo=<x>")
                  SMTPD("10:00:01", "1",
                        "disconnect from c.example[2001:db8::9]:4001 ehlo=1 "
                        "unknown=0/2 commands=1/3"),
          "node smtp_in_connections 1\nnode smtp_in_connection_seconds 1\nnode smtp_in_blocked 1\n"
          "node smtp_in_bad_commands 2\n",
          "clients with ports");
    check(SMTPD("10:00:00", "1", "connect from c.example[192.0.2.9]:4001")
              SMTPD("10:00:00", "1",
                    "NOQUEUE: reject: MAIL from c.example[192.0.2.9]:4001: 452 4.3.1 Insufficient "
                    "system storage; proto=ESMTP helo=<x>")
                  SMTPD("10:00:00", "1", "disconnect from c.example[192.0.2.9]:4001 commands=1/2"),
          "node smtp_in_connections 1\n", "no room: not blocked");
}

int main(void)
{
    test_ports();
    test_samples();
    test_login();
    test_blocked();
    test_refused();
    test_filter();
    test_rules();
    test_lost_ends();
    test_lost_ends_told();
    test_hours();
    test_forms();
    return tap_done();
}
