/* What spam filters and virus scanners log, line by line and counted. */
#include "t/collect/machine_fixture.h"

#include "collect/filters.h"

static const struct fixture_part part = {filters_line, NULL, filters_types};
static struct fixture f;

static void shape_is(const char *log, const char *want)
{
    fixture_init(&f, &part);
    fixture_run(&f, FIXTURE_WHOLE, slice_str(log));
    IS_SLICE(slice_trim(buf_slice(&f.shapes)), slice_str(want), log);
    fixture_fini(&f);
}

/* --- spamd ---------------------------------------------------------------------------------- */

#define SPAMD  "Sat Nov 28 15:08:13 2026 [408] info: spamd: "
#define SYSLOG "Nov 28 15:08:13 mx "

static void test_spamd(void)
{
    fixture_check(&f, &part,
                  SPAMD "connection from localhost [127.0.0.1]:35188 to port 14783, fd 5\n" SPAMD
                        "result: . 2 - A,B scantime=0.4,size=97,user=u@host.test\n" SPAMD
                        "connection from localhost [::1]:35188 to port 14783, fd 5\n" SPAMD
                        "result: Y 9 - A scantime=10.7,size=97,user=u@host.test\n",
                  "node spamd_connections 2\nnode spamd_connection_seconds 11\n",
                  "seconds of a scan add up, less than one also");
    fixture_check(&f, &part,
                  SYSLOG "spamd[408]: message repeated 3 times: [ spamd: connection from a [::1]:1 "
                         "to port 783, fd 5]\n" SYSLOG
                         "spamd[408]: spamd: got connection over /run/spamd.sock\n" SYSLOG
                         "spamd[408]: spamd: bad protocol: header error: FOO bar\n",
                  "node spamd_connections 4\nnode spamd_failed 1\n", "repeated lines, a socket");
    fixture_check(&f, &part,
                  SYSLOG "spamc[12]: connect to spamd on 127.0.0.1 failed, retrying (#1 of 3): "
                         "Connection refused\n" SYSLOG
                         "spamc[12]: connect to spamd on 127.0.0.1 failed, retrying (#2 of 3): "
                         "Connection refused\n" SYSLOG
                         "spamc[12]: connection attempt to spamd aborted after 3 retries\n" SYSLOG
                         "spamc[12]: connect(AF_UNIX) to spamd using --socket='/x' failed: No such "
                         "file or directory\n" SYSLOG
                         "spamass-milter[9]: Thrown error: fork error: Cannot allocate memory\n",
                  "node spamd_failed 4\n", "each try of a client");
    shape_is(SPAMD "identified spam (1004.7/5.0) for nobody:65534 in 0.1 seconds, 109 bytes.",
             "spamd: notice");
    shape_is("Sat Nov 28 15:08:13 2026 [32321] info: prefork: child states: IB", "spamd: notice");
    shape_is(SYSLOG "spamass-milter[9]: spamass-milter 0.4.0 starting", "spamass-milter: notice");
    shape_is(SYSLOG "freshclam[1]: daily.cvd updated", "freshclam: notice");
    shape_is(SYSLOG "postfix/smtpd[1]: connect from a[192.0.2.1]", "-");
}

/* --- amavis and rspamd -------------------------------------------------------------------------
 */

#define AMAVIS SYSLOG "amavis[77]: "
#define TO                                                                                         \
    ", [192.0.2.1]:4 <a@b.test> -> <u@host.test>, Queue-ID: 4jc, mail_id: x, Hits: 1, size: 9"

static const char amavis_log[] = AMAVIS
    "(00077-01) Passed CLEAN {RelayedInbound}" TO ", queued_as: 4jd, 1250 ms\n" AMAVIS
    "(00077-02) Passed CLEAN {RelayedInbound}" TO ", queued_as: 4je, 800 ms\n" AMAVIS
    "(00077-02) Blocked SPAM {DiscardedInbound}" TO ", 800 ms\n" AMAVIS
    "(00077-03) (!)SA TIMED OUT, backtrace: at /usr/share/perl5\n" AMAVIS
    "(00077-03) (!)connect to /var/run/clamav/clamd.ctl failed, attempt #1: Can't connect\n" AMAVIS
    "(00077-03) (!)connect to 192.0.2.9:10025 failed, attempt #1: refused\n" AMAVIS
    "(00077-03) Blocked SPAM {DiscardedInbound}" TO ", 3000 ms\n";

static const char rspamd_log[] =
    "2026-11-28 15:08:14.123 #408(normal) <ab12cd>; task; rspamd_task_write_log: id: <m1@b.test>, "
    "qid: <4jc>, ip: 192.0.2.1, (default: F (no action): [1.10/15.00] [A(1.1){}]), len: 2048, "
    "time: 1512.345ms, dns req: 5, digest: <aa>\n" SYSLOG
    "rspamd[408]: <ab12ce>; task; rspamd_task_write_log: id: <m2@b.test>, len: 1, time: "
    "600.1ms real, 3.0ms virtual\n" SYSLOG
    "rspamd[408]: <ab12ce>; lua; clamav.lua:117: clamav: failed to scan, maximum "
    "retransmits exceed\n" SYSLOG
    "rspamd[408]: <ab12ce>; lua; clamav.lua:117: first (clamav): failed to scan, maximum "
    "retransmits exceed\n" SYSLOG
    "rspamd[408]: <ab12ce>; lua; razor.lua:119: razor: failed to scan, maximum retransmits "
    "exceed\n";

static void test_services(void)
{
    fixture_check(&f, &part, amavis_log, "node clamd_failed 1\n", "amavis beside spamd");
    f.rules.spam_service = SPAM_AMAVIS;
    fixture_check(&f, &part, amavis_log,
                  "node spamd_connections 3\nnode spamd_connection_seconds 5\nnode spamd_failed 1\n"
                  "node clamd_failed 1\n",
                  "amavis as the spam service; a message with two lines counts once");
    fixture_check(&f, &part, SPAMD "connection from localhost [::1]:35188 to port 783, fd 5\n", "",
                  "spamd beside amavis");
    f.rules.spam_service = SPAM_RSPAMD;
    fixture_check(
        &f, &part, rspamd_log,
        "node spamd_connections 2\nnode spamd_connection_seconds 2\nnode clamd_failed 2\n",
        "rspamd as the spam service, its own file and syslog");
    f.rules.spam_service = SPAM_SPAMD;
    fixture_check(&f, &part, rspamd_log, "node clamd_failed 2\n", "rspamd beside spamd");
}

/* --- ClamAV ------------------------------------------------------------------------------------
 */

#define CLAMD "Sat Nov 28 15:08:14 2026 -> "

static void test_clamav(void)
{
    fixture_check(&f, &part,
                  CLAMD "instream(127.0.0.1@43062): OK\n" CLAMD
                        "instream(127.0.0.1@43068): Eicar.UNOFFICIAL(44d88612:68) FOUND\n" CLAMD
                        "fd[11]: OK\n" CLAMD "SelfCheck: Database status OK.\n" SYSLOG
                        "clamd[1]: /var/lib/amavis/tmp/p001: OK\n",
                  "node clamd_connections 4\n", "clean and found");
    fixture_check(&f, &part,
                  SYSLOG "clamav-milter[2]: No clamd server appears to be available\n" SYSLOG
                         "clamav-milter[2]: Streaming failed\n" SYSLOG
                         "clamav-milter[2]: Failed to initiate streaming/fdpassing\n" CLAMD
                         "ERROR: No reply from clamd\n",
                  "node clamd_failed 3\n", "clamd could not be reached");
    shape_is(CLAMD "Client disconnected (FD 11)", "clamd: notice");
    shape_is(SYSLOG "clamav-milter[2]: Message m from <a@b> to <c@d> infected by X FOUND",
             "clamd: notice");
}

/* --- the samples ------------------------------------------------------------------------------
 */

static void test_samples(void)
{
    size_t len;
    char *log = fixture_read("collect/collector-samples.txt", &len);

    log[len] = '\0';
    fixture_check(&f, &part, log,
                  "node spamd_connections 5\nnode spamd_failed 2\nnode clamd_connections 2\n",
                  "the samples of spamd and clamd (scans of 0.1 s each)");
    free(log);
}

int main(void)
{
    test_spamd();
    test_services();
    test_clamav();
    test_samples();
    return tap_done();
}
