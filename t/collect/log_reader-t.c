/* Lines of every form, and what logs leave out: years, zones, lines. */
#include "t/tap.h"

#include <stdlib.h>
#include <time.h>

#include "collect/log_reader.h"
#include "collect/log_tag.h"
#include "collect/zone_load.h"

static struct slice names[] = {{"postfix", 7}, {"postfix-out", 11}, {"mail/in", 7}};
static const struct machine_list name_list = {names, 3};
static struct log_setup setup = {&name_list, NULL};
static struct log_reader reader;
static struct log_reading reading;

/* 2026-11-28T21:00:00Z, the time of all tests that do not set another. */
#define NOW INT64_C(1795899600000)
static struct read_time_bounds bounds = {NOW, NOW};

static void begin(void)
{
    log_reader_fini(&reader);
    log_reader_init(&reader, &setup, 3);
}

static bool feed(struct slice line)
{
    return log_reader_read(&reader, line, &bounds, &reading);
}

/* "FORM TIME HOST TAG INSTANCE SERVICE DAEMON PID TIMES [TEXT]"; "-": empty. */
static const char *shown(void)
{
    static char text[1000];
    const struct log_line *l = &reading.line;
    time_t t = (time_t)(l->time_ms / 1000);
    struct slice parts[] = {l->host, l->tag, l->instance, l->service};
    size_t len;
    struct tm tm;

    len = (size_t)snprintf(text, sizeof text, "%s ", log_form_name(reading.form));
    len += strftime(text + len, sizeof text - len, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t, &tm));
    for (size_t i = 0; i < 4; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, " %.*s",
                                SLICE_FMT(parts[i].len > 0 ? parts[i] : SLICE("-")));
    (void)snprintf(text + len, sizeof text - len, " %s %lld %u [%.*s]", log_tag_name(l->daemon),
                   (long long)l->pid, (unsigned)l->times, SLICE_FMT(l->text));
    return text;
}

/* --- forms -------------------------------------------------------------------------------------
 */

#define DATE "2026-11-28T15:09:17"
static const struct {
    const char *line, *want;
} forms[] = {
    {"Nov 28 15:09:17 mx postfix/smtpd[25]: connect from a[192.0.2.1]",
     "syslog " DATE " mx postfix/smtpd postfix - smtpd 25 1 [connect from a[192.0.2.1]]"},
    {"<22>Nov 28 15:09:17 mx postfix-out/submission/smtpd[25]: x",
     "syslog " DATE " mx postfix-out/submission/smtpd postfix-out submission smtpd 25 1 [x]"},
    {"\xef\xbb\xbfNov 28 15:09:17.805 mx  mail/in/a/b/qmgr[25]:  x\r",
     "syslog " DATE " mx mail/in/a/b/qmgr mail/in a/b qmgr 25 1 [x]"},
    {"Nov 28 2025 15:09:17 mx dovecot: x",
     "syslog 2025-11-28T15:09:17 mx dovecot dovecot - dovecot -1 1 [x]"},
    {"Nov 28 15:09:17 postfix/smtp[7]: warning: x",
     "syslog " DATE " - postfix/smtp postfix - smtp 7 1 [warning: x]"},
    {"Nov 28 15:09:17 mx postfix-in/smtpd[7]: x",
     "syslog " DATE " mx postfix-in/smtpd postfix-in/smtpd - other 7 1 [x]"},
    {"Nov 28 15:09:17 mx postfix/tlsmgr[7]: x",
     "syslog " DATE " mx postfix/tlsmgr postfix - postfix 7 1 [x]"},
    {"Nov 28 15:09:17 mx words without a tag",
     "syslog " DATE " mx - - - other -1 1 [words without a tag]"},
    {"Nov 28 15:09:17 mx /usr/sbin/amavisd[7]: (1) x",
     "syslog " DATE " mx /usr/sbin/amavisd /usr/sbin/amavisd - amavis 7 1 [(1) x]"},
    {"Nov 28 15:09:17 mx sm-mta[7]: x", "syslog " DATE " mx sm-mta sm-mta - sendmail 7 1 [x]"},
    {"Nov 28 15:09:17 mx postfix/smtpd[25]: message repeated 3 times: [ connect from a[192.0.2.1]]",
     "syslog " DATE " mx postfix/smtpd postfix - smtpd 25 3 [connect from a[192.0.2.1]]"},
    {"Nov 28 15:09:17 mx postfix/smtpd[25]: message repeated x times: [ y]",
     "syslog " DATE " mx postfix/smtpd postfix - smtpd 25 1 [message repeated x times: [ y]]"},
    {"2026-11-28T16:09:17.805555+01:00 mx postfix/cleanup[1]: x",
     "RFC 3339 " DATE " mx postfix/cleanup postfix - cleanup 1 1 [x]"},
    {"2026-11-28T15:09:17Z mx postfix/cleanup[1]: x",
     "RFC 3339 " DATE " mx postfix/cleanup postfix - cleanup 1 1 [x]"},
    {"2026-11-28 11:39:17-0330 mx rspamd[1]: x",
     "RFC 3339 " DATE " mx rspamd rspamd - rspamd 1 1 [x]"},
    {"2026-11-28 15:09:17 imap-login: Info: Login: user=<a>",
     "Dovecot " DATE " - dovecot dovecot - dovecot -1 1 [imap-login: Login: user=<a>]"},
    {"2026-11-28 15:09:17 #40(normal) <ab>; task; x",
     "rspamd " DATE " - rspamd rspamd - rspamd 40 1 [<ab>; task; x]"},
    {"<22>1 2026-11-28T15:09:17.805555Z mx postfix/smtpd 25 - - connect from a",
     "RFC 5424 " DATE " mx postfix/smtpd postfix - smtpd 25 1 [connect from a]"},
    {"<22>1 2026-11-28T15:09:17Z - postfix - ID47 [a@1 b=\"]\\\"\"][c] \xef\xbb\xbfx",
     "RFC 5424 " DATE " - postfix postfix - postfix -1 1 [x]"},
    {"1 2026-11-28T15:09:17Z mx postfix 25 - -  4jcCwN1N6fz1: from=<>, size=1",
     "RFC 5424 " DATE " mx postfix postfix - qmgr 25 1 [4jcCwN1N6fz1: from=<>, size=1]"},
    {"Nov 28 15:09:17 imap(a b)<1><s>: Info: x",
     "Dovecot " DATE " - dovecot dovecot - dovecot -1 1 [imap(a b)<1><s>: x]"},
    {"Nov 28 15:09:17 imap(a (b)<1><s>: Error: x",
     "Dovecot " DATE " - dovecot dovecot - dovecot -1 1 [imap(a (b)<1><s>: Error: x]"},
    {"Sat Nov 28 15:09:17 2026 [408] warn: spamd: x",
     "spamd " DATE " - spamd spamd - spamd 408 1 [spamd: x]"},
    {"Nov 28 15:09:17.705 [25214] info: spamd: x",
     "spamd " DATE " - spamd spamd - spamd 25214 1 [spamd: x]"},
    {"Sat Nov 28 15:09:17 2026 -> fd[1]: OK",
     "ClamAV " DATE " - clamd clamd - clamd -1 1 [fd[1]: OK]"},
    {"{\"__REALTIME_TIMESTAMP\":\"1795878557000000\",\"MESSAGE\":[120,255,10,121],\"_PID\":\"7\","
     "\"_HOSTNAME\":\"mx\",\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\"}",
     "journal " DATE " mx postfix/smtpd postfix - smtpd 7 1 [x\xff\ny]"},
    {"{ \"MESSAGE\" : \"a \\\"b\\\" \\u00fc\\ud83d\\ude00\\n\\/\", \"__REALTIME_TIMESTAMP\" : "
     "\"1795878557000000\", \"SYSLOG_PID\":[\"8\",\"9\"], \"_PID\":\"7\", \"X\":{\"a\":[1,\"]\"]}, "
     "\"Y\":null, \"SYSLOG_IDENTIFIER\":\"post\\u0066ix\" }",
     "journal " DATE " - postfix postfix - postfix 8 1 [a \"b\" \xc3\xbc\xf0\x9f\x98\x80\n/]"},
    {"{\"log\":\"Nov 28 16:09:17 mx postfix/smtpd[25]: "
     "x\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-28T15:09:17.805555Z\"}",
     "Docker " DATE " mx postfix/smtpd postfix - smtpd 25 1 [x]"},
    {"{\"log\":\"Nov 28 16:09:17 imap(u)\\u003c1\\u003e: Info: "
     "x\\n\",\"time\":\"2026-11-28T15:09:17.8Z\"}",
     "Docker " DATE " - dovecot dovecot - dovecot -1 1 [imap(u)<1>: x]"},
    {"{\"log\":\"postfix/smtpd[25]: x\",\"time\":\"2026-11-28T15:09:17Z\"}",
     "Docker " DATE " - postfix/smtpd postfix - smtpd 25 1 [x]"},
};

static void test_forms(void)
{
    static const char *const none[] = {"spamc: connect to spamd",
                                       "Nov 31 15:09:17 mx a: x",
                                       "Nov 28 25:09:17 mx a: x",
                                       "Nov 28",
                                       "2026-13-28T15:09:17 mx a: b",
                                       "{\"a\":1}",
                                       "{\"MESSAGE\":\"x\"",
                                       "{",
                                       "<22>",
                                       "<22>1 ",
                                       "Sat Nov 28 15:09:17 2026 408 x",
                                       "Sat Nov 28 15:09:17 2026 [408",
                                       "Feb 29 2025 01:00:00 mx a: x"};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        begin();
        OK(feed(slice_str(forms[i].line)) && reading.line.source == 3 && !reading.is_silent,
           forms[i].line);
        IS_STR(shown(), forms[i].want, "as expected");
    }
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        begin();
        OK(!feed(slice_str(none[i])) && reading.form == LOG_FORM_NONE, none[i]);
    }
}

/* Every form cut short at every byte is read or not, but ends. */
static void test_torn(void)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        for (size_t len = 0; len < strlen(forms[i].line); len++) {
            char *copy = malloc(len + 1);

            memcpy(copy, forms[i].line, len);
            begin();
            (void)feed((struct slice){copy, len});
            free(copy);
        }
    }
    OK(true, "torn lines");
}

/* The daemon of a tag that was cut at the slash. */
static void test_cut_tags(void)
{
    static const struct {
        const char *text;
        enum daemon daemon;
    } rows[] = {
        {"disconnect from a[192.0.2.1] ehlo=1 commands=1", DAEMON_SMTPD},
        {"4jcCwN1N6fz1: client=a[192.0.2.1]", DAEMON_SMTPD},
        {"NOQUEUE: reject: RCPT from a[192.0.2.1]: 554 x", DAEMON_SMTPD},
        {"NOQUEUE: reject: RCPT from [192.0.2.1]:99: 550 x", DAEMON_POSTSCREEN},
        {"NOQUEUE: lost connection after CONNECT from a[192.0.2.1]", DAEMON_SMTPD},
        {"CONNECT from [192.0.2.1]:99 to [192.0.2.2]:25", DAEMON_POSTSCREEN},
        {"4jcCwN1N6fz1: message-id=<x>", DAEMON_CLEANUP},
        {"4jcCwN1N6fz1: removed (canceled)", DAEMON_CLEANUP},
        {"4jcCwN1N6fz1: removed", DAEMON_QMGR},
        {"4jcCwN1N6fz1: from=<a@b.test>, size=1, nrcpt=1 (queue active)", DAEMON_QMGR},
        {"2F83BA908F7: uid=0 from=<a@b.test>", DAEMON_PICKUP},
        {"2F83BA908F7: sender non-delivery notification: 3B2C4A908FA", DAEMON_BOUNCE},
        {"2F83BA908F7: requeued", DAEMON_POSTSUPER},
        {"connect to a[192.0.2.1]:25: Connection refused", DAEMON_SMTP},
        {"2F83BA908F7: host a[192.0.2.1] said: 421 x", DAEMON_SMTP},
        {"2F83BA908F7: to=<a@b.test>, relay=local, delay=0, status=sent (x)", DAEMON_LOCAL},
        {"2F83BA908F7: to=<a@b.test>, relay=virtual, delay=0, status=sent (x)", DAEMON_VIRTUAL},
        {"2F83BA908F7: to=<a@b.test>, relay=a[192.0.2.1]:25, status=sent (relay=local, x)",
         DAEMON_POSTFIX},
        {"statistics: max cache size 1 at Nov 21 09:31:56", DAEMON_ANVIL},
        {"warning: something else", DAEMON_POSTFIX},
        {"", DAEMON_POSTFIX},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        IS_INT(log_tag_by_text(slice_str(rows[i].text)), rows[i].daemon, rows[i].text);
}

/* --- holes -------------------------------------------------------------------------------------
 */

static void test_holes(void)
{
    static const char nuls[] = "Nov 28 15:09:17 mx a: torn\0\0\0\0Nov 28 15:09:18 mx a: b";
    char *huge = malloc(100000);

    begin();
    OK(feed((struct slice){nuls, sizeof nuls - 1}) && reading.is_hole && reading.lost == 0, "NULs");
    IS_STR(shown(), "syslog 2026-11-28T15:09:18 mx a a - other -1 1 [b]", "the line behind them");
    OK(feed((struct slice){"\0\0\0", 3}) && reading.is_hole && reading.is_silent, "NULs alone");
    OK(feed(SLICE("Nov 28 15:09:17 mx last message repeated 7 times")) && reading.is_hole &&
           reading.is_silent && reading.lost == 7,
       "a logger that left out lines");
    OK(feed(SLICE("{\"MESSAGE\":null,\"__CURSOR\":\"s=5;i=2\",\"__REALTIME_TIMESTAMP\":\"1\"}")) &&
           reading.is_hole && reading.lost == 1,
       "an entry that is too long");
    IS_SLICE(reading.cursor, SLICE("s=5;i=2"), "its cursor");
    OK(feed(SLICE("Nov 28 15:09:17 mx -- MARK --")) && reading.is_silent && !reading.is_hole,
       "MARK");
    OK(feed(SLICE("")) && reading.is_silent && feed(SLICE("\r")) && reading.is_silent,
       "empty lines");
    memset(huge, 'x', 100000);
    memcpy(huge, "Nov 28 15:09:17 mx a: ", 22);
    OK(feed((struct slice){huge, 100000}) && reading.is_cut &&
           reading.line.text.len == LOG_READER_LINE_BYTES - 22,
       "a line that is too long is cut");
    free(huge);
}

/* --- times -------------------------------------------------------------------------------------
 */

static void time_is(const char *date, const char *want)
{
    char line[200], got[40];
    time_t t;
    struct tm tm;

    (void)snprintf(line, sizeof line, "%s mx a: b", date);
    if (!OK(feed(slice_str(line)), line))
        return;
    t = (time_t)(reading.line.time_ms / 1000);
    (void)strftime(got, sizeof got, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t, &tm));
    IS_STR(got, want, line);
}

static int64_t utc_ms(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute};

    return (int64_t)timegm(&tm) * 1000;
}

static void zone_is(const char *name)
{
    static struct zone *zone;
    struct err err;

    zone_free(zone);
    TG_ASSERT(zone_load(name, &zone, &err) == 0);
    setup.zone = zone;
    begin();
}

static void test_years(void)
{
    zone_is("UTC");
    time_is("Nov 28 20:59:59", "2026-11-28T20:59:59");
    begin();
    time_is("Dec  3 20:59:59", "2025-12-03T20:59:59");
    time_is("Dec 31 23:59:59", "2025-12-31T23:59:59");
    time_is("Jan  1 00:00:00", "2026-01-01T00:00:00");
    time_is("Dec 31 23:59:58", "2025-12-31T23:59:58"); /* a line that was late */
    time_is("Jan  1 00:00:01", "2026-01-01T00:00:01");
    time_is("Nov 20 00:00:01", "2026-11-20T00:00:01");
    time_is("Nov 17 00:00:01", "2026-11-17T00:00:01");      /* nothing is after the file's end */
    time_is("1990-01-01T00:00:01Z", "1990-01-01T00:00:01"); /* a clock that was not set */
    time_is("Nov 20 00:00:01", "2026-11-20T00:00:01");
    begin();
    bounds.end_ms = utc_ms(2024, 3, 2, 0, 0); /* a file of long ago */
    time_is("Feb 28 00:00:00", "2024-02-28T00:00:00");
    time_is("Feb 29 00:00:00", "2024-02-29T00:00:00");
    begin();
    bounds.end_ms = utc_ms(2026, 3, 2, 0, 0);
    time_is("Feb 29 00:00:00", "2024-02-29T00:00:00"); /* the last one that there was */
    begin();
    time_is("Mar  4 00:00:00", "2025-03-04T00:00:00"); /* over a day after the end */
    bounds.end_ms = NOW;
}

static void test_future(void)
{
    zone_is("UTC");
    time_is("2026-11-29T20:59:59Z", "2026-11-29T20:59:59");
    OK(!reading.is_future, "a clock may be a day ahead");
    time_is("2026-11-29T21:00:01Z", "2026-11-28T21:00:00");
    OK(reading.is_future && reading.warn_future, "a line of the future is kept under now");
    time_is("2031-11-29T21:00:01Z", "2026-11-28T21:00:00");
    OK(reading.is_future && !reading.warn_future, "the warning comes once");
    time_is("Nov 28 20:00:00", "2026-11-28T20:00:00");
    time_is("Nov 30 21:00:01", "2026-11-28T21:00:00");
    OK(reading.is_future, "without a year, too");
}

static void test_zones(void)
{
    bounds = (struct read_time_bounds){utc_ms(2026, 11, 28, 0, 0), utc_ms(2026, 11, 28, 0, 0)};
    zone_is("Europe/Zagreb");
    time_is("Mar 29 01:59:59", "2026-03-29T00:59:59");
    time_is("Mar 29 03:00:00", "2026-03-29T01:00:00");
    time_is("Oct 25 01:59:59", "2026-10-24T23:59:59");
    time_is("Oct 25 02:00:00", "2026-10-25T00:00:00");
    time_is("Oct 25 02:59:58", "2026-10-25T00:59:58");
    time_is("Oct 25 02:59:57", "2026-10-25T00:59:57"); /* lines overtake each other */
    time_is("Oct 25 02:00:00", "2026-10-25T01:00:00"); /* the second pass */
    time_is("Oct 25 02:59:59", "2026-10-25T00:59:59"); /* late, of the first pass */
    time_is("Oct 25 02:00:01", "2026-10-25T01:00:01");
    time_is("Oct 25 02:40:00", "2026-10-25T01:40:00");
    time_is("Oct 25 02:59:00", "2026-10-25T01:59:00");
    time_is("Oct 25 03:00:00", "2026-10-25T02:00:00");
    time_is("2026-10-25 01:30:00+02:00", "2026-10-24T23:30:00");
    zone_is("Australia/Lord_Howe");
    time_is("Apr  5 01:31:00", "2026-04-04T14:31:00");
    time_is("Apr  5 01:59:59", "2026-04-04T14:59:59");
    time_is("Apr  5 01:30:00", "2026-04-04T15:00:00");
    time_is("Apr  5 01:50:00", "2026-04-04T15:20:00");
    time_is("Apr  5 02:00:00", "2026-04-04T15:30:00");
    zone_is("Europe/Zagreb");
    time_is("2026-10-25T02:30:00", "2026-10-25T00:30:00"); /* the first that is known: first pass */
    zone_is("UTC");
    bounds = (struct read_time_bounds){NOW, NOW};
}

/* --- state -------------------------------------------------------------------------------------
 */

static void test_state(void)
{
    struct buf state;

    buf_init(&state, 100);
    zone_is("Europe/Zagreb");
    (void)feed(SLICE("2026-10-25T02:30:00 mx a: b"));
    (void)feed(SLICE("2030-10-25T02:30:00 mx a: b"));
    (void)feed(SLICE("2026-10-25T02:00:00 mx a: b"));
    log_reader_encode(&reader, &state);
    begin();
    OK(log_reader_decode(&reader, buf_slice(&state)), "decoded");
    time_is("Oct 25 02:00:01", "2026-10-25T01:00:01");
    (void)feed(SLICE("2030-10-25T02:30:00 mx a: b"));
    OK(reading.is_future && !reading.warn_future, "the pass and the warning are remembered");
    for (size_t len = 0; len < state.len; len++) {
        begin();
        if (log_reader_decode(&reader, slice_to(buf_slice(&state), len)))
            OK(false, "half a state");
        IS_INT(reader.time.last_ms, READ_TIME_NONE, "as new");
    }
    buf_add_char(&state, 'x');
    OK(!log_reader_decode(&reader, buf_slice(&state)), "bytes behind it");
    buf_fini(&state);
    zone_is("UTC");
}

int main(void)
{
    log_reader_init(&reader, &setup, 3);
    test_forms();
    test_torn();
    test_cut_tags();
    test_holes();
    test_years();
    test_future();
    test_zones();
    test_state();
    log_reader_fini(&reader);
    return tap_done();
}
