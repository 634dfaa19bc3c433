/* Clients that postscreen sends away count here, those that it hands on do not. */
#include "t/collect/samples_fixture.h"

static struct fixture f;

#define LINE(time, text) "Nov 28 " time " mx postfix/postscreen[9]: " text "\n"
#define CLIENT           "[192.0.2.9]:4000"
#define CONNECT(time)    LINE(time, "CONNECT from " CLIENT " to [192.0.2.1]:25")

static void check(const char *log, const char *want, const char *what)
{
    fixture_check(&f, &samples_part, log, want, what);
}

static void test_samples(void)
{
    static const char want[] = "node smtp_in_connections 6\nnode smtp_in_connection_seconds 10\n"
                               "node smtp_in_blocked 2\nnode smtp_in_bad_commands 2\n"
                               "node smtp_in_terminations 1\n";

    samples_check(&f, "collect/collector-samples.txt", "3 Postfix", want, want);
    samples_check(&f, "collect/maillog-samples.txt", "8 postscreen", "", "");
}

int main(void)
{
    test_samples();
    check(CONNECT("10:00:00") LINE("10:00:06", "PASS NEW " CLIENT), "", "handed on as new");
    check(CONNECT("10:00:00") LINE("10:00:00", "WHITELISTED " CLIENT), "", "an old word");
    check(CONNECT("10:00:00") LINE("10:00:01", "PREGREET 9 after 0.1 from " CLIENT ": EHLO x"), "",
          "a failed test that is ignored");
    check(CONNECT("10:00:00") LINE("10:00:01", "DNSBL rank 7 for " CLIENT)
              LINE("10:00:03", "DISCONNECT " CLIENT),
          "node smtp_in_connections 1\nnode smtp_in_connection_seconds 3\nnode smtp_in_blocked 1\n",
          "listed");
    check(CONNECT("10:00:00") LINE("10:00:01", "PREGREET 9 after 0.1 from " CLIENT ": EHLO x")
              LINE("10:00:03", "PASS NEW " CLIENT) LINE("10:00:03", "DISCONNECT " CLIENT),
          "node smtp_in_connections 1\nnode smtp_in_connection_seconds 3\n", "passed after all");
    check(CONNECT("10:00:00")
              LINE("10:00:00", "NOQUEUE: reject: CONNECT from " CLIENT ": all server ports busy")
                  LINE("10:00:00", "DISCONNECT " CLIENT),
          "node smtp_in_connections 1\nnode smtp_in_blocked 1\n", "busy");
    check(CONNECT("10:00:00") LINE("10:00:00", "BARE NEWLINE from " CLIENT " after EHLO: x")
              LINE("10:05:00", "COMMAND TIME LIMIT from " CLIENT " after EHLO")
                  LINE("10:05:00", "HANGUP after 300 from " CLIENT)
                      LINE("10:05:00", "DISCONNECT " CLIENT),
          "node smtp_in_connections 1\nnode smtp_in_connection_seconds 300\n"
          "node smtp_in_bad_commands 1\nnode smtp_in_terminations 1\n",
          "ended once");
    check(LINE("10:00:03", "DISCONNECT " CLIENT) LINE("10:00:03", "CONNECT from nowhere")
              LINE("10:00:03", "PREGREET 9 after 0.1 from [2001:db8::1]:99: x"),
          "", "a beginning that is not in the log");
    return tap_done();
}
