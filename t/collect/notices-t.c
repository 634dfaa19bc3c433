/* What syslog daemons say of lines that are missing becomes gaps. */
#include "t/collect/samples_fixture.h"

static struct fixture f;

#define RSYSLOG(time, text) "Nov 28 " time " mx rsyslogd: " text "\n"
#define JOURNAL(time, text) "Nov 28 " time " mx systemd-journald[9]: " text "\n"
#define AT_10               "1795860000000" /* 10:00:00 */

static void check(const char *log, const char *want, const char *what)
{
    for (int way = FIXTURE_WHOLE; way <= FIXTURE_FOLDS; way++) {
        fixture_init(&f, &samples_part);
        fixture_run(&f, (enum fixture_way)way, slice_str(log));
        IS_SLICE(buf_slice(&f.events), slice_str(want), what);
        fixture_fini(&f);
    }
}

int main(void)
{
    check(RSYSLOG("10:00:00", "imuxsock[pid 25350]: begin to drop messages due to rate-limiting")
              RSYSLOG("10:00:05", "imuxsock[pid 25350]: 46 messages lost due to rate-limiting (200 "
                                  "allowed within 5 seconds)"),
          "gap " AT_10 "-1795860005000 lost=46 rsyslogd: rate limit\n", "a rate limit");
    check(RSYSLOG("10:00:00", "imuxsock begins to drop messages from pid 25350 due to "
                              "rate-limiting")
              RSYSLOG("10:00:05", "imuxsock lost 46 messages from pid 25350 due to rate-limiting"),
          "gap " AT_10 "-1795860005000 lost=46 rsyslogd: rate limit\n", "in older words");
    check(RSYSLOG("10:00:00", "imjournal: 7 messages lost due to rate-limiting"),
          "gap " AT_10 "-" AT_10 " lost=7 rsyslogd: rate limit\n", "a beginning that is not told");
    check(RSYSLOG("10:00:00", "[origin software=\"rsyslogd\" swVersion=\"8.2302.0\" x-pid=\"2\" "
                              "x-info=\"https://www.rsyslog.com\"] exiting on signal 15.")
              RSYSLOG("10:00:05", "[origin software=\"rsyslogd\" swVersion=\"8.2302.0\" "
                                  "x-pid=\"3\" x-info=\"https://www.rsyslog.com\"] start"),
          "gap " AT_10 "-1795860005000 lost=0 rsyslogd: restart\n", "stopped and started");
    check(RSYSLOG("10:00:00", "[origin software=\"rsyslogd\" swVersion=\"8.2302.0\" x-pid=\"3\" "
                              "x-info=\"https://www.rsyslog.com\"] start"),
          "gap " AT_10 "-" AT_10 " lost=0 rsyslogd: restart\n", "killed");
    check(RSYSLOG("10:00:00", "[origin software=\"rsyslogd\" x-pid=\"3\"] rsyslogd was HUPed"), "",
          "reopened its files: nothing is lost");
    check(JOURNAL("10:00:00", "Suppressed 46 messages from postfix@-.service"),
          "gap 1795859970000-" AT_10 " lost=46 journald: rate limit\n", "journald");
    check(JOURNAL("10:00:00", "Suppressed 46 messages from ssh.service"), "", "of others");
    check(JOURNAL("10:00:00", "Journal stopped") JOURNAL("10:00:02", "Journal started"),
          "gap " AT_10 "-1795860002000 lost=0 journald: restart\n", "journald started anew");
    check(JOURNAL("10:00:02", "Journal started"), "", "at boot");
    return tap_done();
}
