/* Sendmail's lines: errors of clients, deliveries, and who pays. */
#include "t/collect/samples_fixture.h"

#include "collect/sendmail.h"

static struct fixture f;

#define LINE(time, pid, text) "Nov 28 " time " mx sm-mta[" pid "]: " text "\n"
#define ID                    "6AL9wxbG014172"
#define FROM(time, from, relay)                                                                    \
    LINE(time, "14172",                                                                            \
         ID ": from=<" from ">, size=1000, class=0, nrcpts=1, msgid=<q@q>, proto=ESMTP, "          \
            "daemon=MTA, relay=" relay)
#define TO(time, words, stat)                                                                      \
    LINE(time, "14174",                                                                            \
         ID ": to=<x@b.test>,<y@b.test>, delay=00:00:01, xdelay=00:00:02, mailer=esmtp, "          \
            "pri=230442, " words "stat=" stat)
#define RELAY "relay=mx.b.test. [192.0.2.7], "

static void check(const char *log, const char *want, const char *what)
{
    fixture_check(&f, &samples_part, log, want, what);
}

#define ALL(counters) counters("node") counters("host.test") counters("joe@host.test")
#define SENT(name)                                                                                 \
    name " smtp_out_connections 1\n" name " smtp_out_connection_seconds 2\n" name                  \
         " smtp_out_sent_bytes 1000\n"
#define LOGIN                                                                                      \
    LINE("10:00:00", "14172",                                                                      \
         ID ": AUTH=server, relay=c [192.0.2.9], authid=joe, mech=PLAIN, bits=0")

static void test_out(void)
{
    check(LOGIN FROM("10:00:00", "u@vmbox.test", "c [192.0.2.9]")
              TO("10:00:01", RELAY "dsn=2.0.0, ", "Sent (ok)"),
          ALL(SENT), "one connection for two recipients; the login pays");
#define FAILED(name) name " smtp_out_failed 1\n" name " smtp_out_connection_seconds 2\n"
    check(FROM("10:00:00", "u@host.test", "u@localhost")
              TO("10:00:01", "relay=mx.b.test., dsn=4.0.0, ",
                 "Deferred: Connection refused by mx.b.test."),
          "node smtp_out_connection_seconds 2\nnode smtp_out_failed 1\n"
          "host.test smtp_out_connection_seconds 2\nhost.test smtp_out_failed 1\n"
          "u@host.test smtp_out_connection_seconds 2\nu@host.test smtp_out_failed 1\n",
          "not reached; submitted here");
    check(FROM("10:00:00", "a@b.test", "c [192.0.2.9]")
              TO("10:00:01", RELAY "dsn=5.0.0, ", "Service unavailable"),
          "node smtp_out_connections 1\nnode smtp_out_connection_seconds 2\n"
          "node smtp_out_rejected 1\n_unattributed smtp_out_connections 1\n"
          "_unattributed smtp_out_connection_seconds 2\n_unattributed smtp_out_rejected 1\n",
          "rejected; nobody's");
    check(FROM("10:00:00", "a@b.test", "c [192.0.2.9]")
              TO("10:00:01", "relay=[127.0.0.1] [127.0.0.1], dsn=2.0.0, ", "Sent (ok)"),
          "", "to this host");
    check(LINE("10:00:00", "14174",
               ID ": to=<a@host.test>, delay=00:00:00, xdelay=00:00:00, mailer=local, pri=3, "
                  "dsn=2.0.0, stat=Sent"),
          "", "to a mailbox");
}

/* The processes of clients have been silent for long. */
#define LATER LINE("10:20:00", "9", "starting daemon (8.17.1.9): SMTP+queueing@01:00:00")
#define DENIED(time)                                                                               \
    LINE(time, "14172",                                                                            \
         ID ": ruleset=check_rcpt, arg1=<x@b.test>, relay=c [192.0.2.9], reject=550 5.7.1 "        \
            "<x@b.test>... Relaying denied")

static void test_in(void)
{
    check(DENIED("10:00:00") FROM("10:00:01", "a@b.test", "c [192.0.2.9]") LATER, "",
          "not blocked: it brought a message");
    check(FROM("10:00:01", "a@b.test", "c [192.0.2.9]") DENIED("10:00:02")
              LINE("10:00:02", "14172", ID ": Milter: data, reject=552 5.2.2 over quota") LATER,
          "node smtp_in_blocked 1\n", "blocked: the message was rejected");
    check(LINE("10:00:00", "1",
               "6AL9x2O4014341: ruleset=check_rcpt, arg1=<x@b.test>, relay=c [192.0.2.9], "
               "reject=550 5.7.1 <x@b.test>... Relaying denied")
              LINE("10:00:01", "1",
                   "ruleset=check_mail, arg1=<a@b.test>, relay=c [192.0.2.9], reject=553 5.1.8 "
                   "<a@b.test>... Domain of sender address a@b.test does not exist")
                  LINE("10:00:02", "1",
                       "6AL9x2O4014341: lost input channel from c [192.0.2.9] to MTA after rcpt")
                      LINE("10:00:02", "1", "6AL9x2O4014341: collect: premature EOM: x") LATER,
          "node smtp_in_blocked 1\nnode smtp_in_terminations 1\n", "once a process");
    check(LINE("10:00:00", "1",
               "6AL9x2O4014341: ruleset=check_rcpt, arg1=<u@host.test>, relay=c [192.0.2.9], "
               "reject=550 5.7.1 <u@host.test>... Blocked by access")
              LINE("10:00:00", "1",
                   "6AL9x2O4014341: Milter: from=<a@host.test>, reject=450 4.7.1 host.test: limit "
                   "of 5 messages per hour reached (5 used, 1 more wanted), try again in 1 minute")
                  LATER,
          "", "a recipient; a limit of Tollgate");
    check(LINE("10:00:00", "1",
               "NOQUEUE: c [192.0.2.9]: possible SMTP attack: command=HELO/EHLO, "
               "count=3")
              LINE("10:00:00", "1",
                   "6AL9x2O4014341: AUTH failure (LOGIN): authentication failure (-13) SASL(-13), "
                   "relay=c [192.0.2.9]"),
          "node smtp_in_bad_commands 1\nnode smtp_in_auth_failed 1\n", "bad commands, logins");
}

static void test_refusal(void)
{
    static const char log[] = FROM("10:00:00", "u@host.test", "u@localhost")
        TO("10:00:01", RELAY "dsn=4.0.0, ", "Deferred: 451 listed at bl.example")
            TO("10:00:02", RELAY "dsn=4.0.0, ", "Deferred: 452 try later")
                TO("10:00:03", RELAY "dsn=2.0.0, ", "Sent (not listed at bl.example)");

    fixture_init(&f, &samples_part);
    fixture_run(&f, FIXTURE_WHOLE, slice_str(log));
    IS_SLICE(buf_slice(&f.events),
             SLICE("refusal provider=b.test relay=mx.b.test list=bl.example domain=host.test "
                   "Deferred: 451 listed at bl.example\n"),
             "a list's name");
    fixture_fini(&f);
}

static void test_samples(void)
{
    char *text = samples_section("collect/maillog-samples.txt", "10 Sendmail");

    fixture_init(&f, &samples_part);
    fixture_run(&f, FIXTURE_WHOLE, slice_str(text));
    f.part->tick(&f.m, f.reached_ms + SENDMAIL_IDLE_MS);
    IS_SLICE(fixture_text(&f, false),
             SLICE("node smtp_in_blocked 1\nnode smtp_in_terminations 1\nnode smtp_out_failed 2\n"
                   "_unattributed smtp_out_failed 2\n"),
             "the samples");
    OK(strstr(f.shapes.data, "-\n") == NULL || f.shapes.data[0] != '-', "all lines are known");
    fixture_fini(&f);
    free(text);
}

int main(void)
{
    test_out();
    test_in();
    test_refusal();
    test_samples();
    return tap_done();
}
