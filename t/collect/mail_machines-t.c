/* Two sources that are read at different paces: each has its own time. */
#include "t/collect/samples_fixture.h"

static struct fixture f;

static void feed(unsigned source, int64_t time_s, enum daemon daemon, const char *tag,
                 const char *text)
{
    struct log_line line = {.time_ms = time_s * 1000,
                            .host = SLICE("mx"),
                            .tag = slice_str(tag),
                            .instance = SLICE("postfix"),
                            .daemon = daemon,
                            .pid = 1,
                            .text = slice_str(text),
                            .times = 1,
                            .source = source};

    OK(mail_machines_line(&f.m, &line) != NULL, text);
}

#define T  INT64_C(1795860000)
#define IN "postfix/smtpd"

static void smtpd(unsigned source, int64_t time_s, const char *text)
{
    feed(source, time_s, DAEMON_SMTPD, IN, text);
}

static void smtp(unsigned source, int64_t time_s, const char *recipient)
{
    char text[300];

    (void)snprintf(text, sizeof text,
                   "4jcCwf1Fxqz1d2nC: to=<%s@b.test>, relay=mx[192.0.2.7]:25, delays=0/0/0/0, "
                   "dsn=2.0.0, status=sent (ok)",
                   recipient);
    feed(source, time_s, DAEMON_SMTP, "postfix/smtp", text);
}

static void counts_are(const char *want, const char *what)
{
    IS_SLICE(fixture_text(&f, false), slice_str(want), what);
}

int main(void)
{
    fixture_init(&f, &samples_part);
    smtpd(0, T, "connect from c[192.0.2.9]");
    smtpd(0, T + 7200, "connect from c[192.0.2.9]");
    smtpd(1, T, "connect from d[192.0.2.8]");
    smtp(1, T + 1, "a");
    smtpd(0, T + 7201, "disconnect from c[192.0.2.9] quit=1 commands=1");
    smtp(1, T + 2, "b");
    smtpd(1, T + 5, "disconnect from d[192.0.2.8] quit=1 commands=1");
    mail_machines_tick(&f.m, (T + 60) * 1000);
    counts_are("node smtp_in_connections 3\nnode smtp_in_connection_seconds 3606\n"
               "node smtp_out_connections 1\n_unattributed smtp_out_connections 1\n",
               "a source that is two hours behind: 5 seconds, one delivery");
    smtpd(1, T + 6, "connect from d[192.0.2.8]");
    mail_machines_tick(&f.m, (T + 7 * 86400) * 1000);
    counts_are("node smtp_in_connections 4\nnode smtp_in_connection_seconds 7206\n"
               "node smtp_out_connections 1\n_unattributed smtp_out_connections 1\n",
               "all have reached the time: the end is lost after an hour");
    IS_INT(open_count(f.m.open, OPEN_SMTPD), 0, "no session is left");
    fixture_fini(&f);
    return tap_done();
}
