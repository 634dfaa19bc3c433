/* The server's status, from control groups, processes and tables of connections of a folder. */
#include "t/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collect/notes.h"
#include "collect/status.h"

static uint64_t counted[COUNTER_COUNT];

static void count(void *to, int64_t time_ms, const struct payer *payer, enum counter id,
                  uint64_t amount)
{
    (void)to;
    OK(time_ms == 5000 && payer->domain.len == 0, "of the node, now");
    counted[id] += amount;
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[600];
    FILE *f;

    (void)snprintf(path, sizeof path, "mkdir -p $(dirname %s/%s)", dir, name);
    if (system(path) != 0)
        exit(1);
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        exit(1);
}

#define DOVECOT "system.slice/dovecot.service/"
#define POSTFIX "system.slice/system-postfix.slice/postfix@-.service/"

static const struct sink sink = {.count = count};

static void begin(struct status *s, const struct string_list *units, const char *dir)
{
    static char tcp[100], proc[100];
    struct err err;

    for (int i = 0; i < COUNTER_COUNT; i++)
        counted[i] = 0;
    OK(status_init(s, units, &err) == 0, "init");
    (void)snprintf(tcp, sizeof tcp, "%s/tcp", dir);
    (void)snprintf(proc, sizeof proc, "%s/proc", dir);
    s->root = dir;
    s->proc = proc;
    s->tcp[0] = tcp;
    s->tcp[1] = "/nonexistent";
    s->queue.program = "/nonexistent/postqueue";
}

static void put_groups(const char *dir)
{
    put(dir, DOVECOT "cpu.stat", "usage_usec 5000000\nuser_usec 1\n");
    put(dir, DOVECOT "memory.current", "10485760\n");
    put(dir, DOVECOT "pids.current", "7\n");
    put(dir, DOVECOT "cgroup.procs", "11\n12\n");
    put(dir, POSTFIX "cpu.stat", "usage_usec 100\n");
    put(dir, POSTFIX "memory.current", "1048576\n");
    put(dir, POSTFIX "pids.current", "3\n");
    put(dir, POSTFIX "cgroup.procs", "9999\n");
    put(dir, "proc/11/fd/0", "");
    put(dir, "proc/11/fd/1", "");
    put(dir, "proc/12/fd/0", "");
    put(dir, "tcp",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
        "   0: 0100007F:0019 0200007F:8FFF 01 00000000:00000000 00:00000000 00000000     0\n"
        "   1: 0100007F:03E1 0200007F:8FFE 01 00000000:00000000 00:00000000 00000000     0\n"
        "   2: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
        "   3: 0100007F:0050 0200007F:8FFD 01 00000000:00000000 00:00000000 00000000     0\n");
}

static void test_groups(const char *dir)
{
    const char *items[] = {"dovecot.service", "postfix@-.service", "none.service"};
    struct string_list units = {items, 3};
    struct status s;

    put_groups(dir);
    begin(&s, &units, dir);
    OK(!status_take(&s, 1000, 5000, &sink), "the first reading is where it begins");
    OK(!status_take(&s, 6000, 5000, &sink), "too early");
    put(dir, DOVECOT "cpu.stat", "usage_usec 5002500\n");
    put(dir, POSTFIX "cpu.stat", "usage_usec 90\n");
    OK(status_take(&s, 11500, 5000, &sink), "the second one");
    IS_INT(counted[COUNTER_STATUS_SECONDS], 10, "seconds");
    IS_INT(counted[COUNTER_STATUS_CPU_MS], 2, "CPU time; a unit that was started anew");
    IS_INT(counted[COUNTER_STATUS_MEMORY_MIB_SECONDS], 115, "memory");
    IS_INT(counted[COUNTER_STATUS_THREAD_SECONDS], 105, "threads");
    IS_INT(counted[COUNTER_STATUS_CONNECTION_SECONDS], 21, "established connections of mail");
    IS_INT(counted[COUNTER_STATUS_HANDLE_SECONDS], 31, "open files; one process has ended");
    OK((s.signs & NOTES_NO_HANDLES) == 0, "all open files could be read");
    OK((s.signs & NOTES_NO_QUEUE) != 0, "the queue could not");
    IS_INT(counted[COUNTER_STATUS_SPOOL_SECONDS], 0, "so it has no figure");
    s.queue.is_known = true;
    s.queue.messages = 5;
    OK(status_take(&s, 22000, 5000, &sink), "the third one");
    IS_INT(counted[COUNTER_STATUS_SECONDS], 21, "half seconds are not lost");
    IS_INT(counted[COUNTER_STATUS_SPOOL_SECONDS], 52, "messages in the queue");
    IS_INT(s.signs, 0, "nothing is unknown");
    OK(!status_take(&s, 200000, 5000, &sink), "a time that was not watched counts nothing");
    IS_INT(counted[COUNTER_STATUS_SECONDS], 21, "not even seconds");
    status_fini(&s);
}

/* "fd" is a file here: as unreadable as another account's directory is, also for root. */
static void test_denied(const char *dir)
{
    const char *items[] = {"dovecot.service"};
    struct string_list units = {items, 1};
    struct status s;

    put(dir, DOVECOT "cgroup.procs", "11\n13\n");
    put(dir, "proc/13/fd", "");
    begin(&s, &units, dir);
    (void)status_take(&s, 1000, 5000, &sink);
    OK(status_take(&s, 11000, 5000, &sink), "read");
    IS_INT(counted[COUNTER_STATUS_HANDLE_SECONDS], 0, "open files of some are no figure");
    OK((s.signs & NOTES_NO_HANDLES) != 0 && (s.signs & NOTES_LACKED_HANDLES) != 0, "but a note");
    status_fini(&s);
}

static void test_nothing(const char *dir)
{
    const char *items[] = {"none.service", "/usr/sbin/none"};
    struct string_list units = {items, 2};
    struct status s;

    begin(&s, &units, dir);
    (void)status_take(&s, 1000, 5000, &sink);
    OK(!status_take(&s, 11000, 5000, &sink), "no unit is there");
    IS_INT(counted[COUNTER_STATUS_SECONDS], 0, "that is unknown, and not 0");
    status_fini(&s);
}

/* --- programs ----------------------------------------------------------------------------------
 */

#define MASTER "/usr/lib/postfix/sbin/master"

/* A process of 2 threads and 16 MiB. */
static void put_process(const char *dir, int pid, int parent, const char *command, long ticks,
                        long ended_ticks, long start)
{
    char name[100], text[300];

    (void)snprintf(name, sizeof name, "proc/%d/cmdline", pid);
    put(dir, name, command);
    (void)snprintf(name, sizeof name, "proc/%d/fd/0", pid);
    put(dir, name, "");
    (void)snprintf(name, sizeof name, "proc/%d/stat", pid);
    (void)snprintf(text, sizeof text,
                   "%d (a) b (c) S %d 1 1 0 -1 4194560 9 9 9 9 %ld 0 %ld 0 20 0 2 0 %ld 99999 %ld "
                   "18446744073709551615 1 1 0\n",
                   pid, parent, ticks, ended_ticks, start,
                   (long)((16 << 20) / sysconf(_SC_PAGESIZE)));
    put(dir, name, text);
}

static void take_away(const char *dir, int pid)
{
    char command[600];

    (void)snprintf(command, sizeof command, "rm -rf %s/proc/%d", dir, pid);
    if (system(command) != 0)
        exit(1);
}

static void test_programs(const char *dir)
{
    const char *items[] = {MASTER, "/usr/sbin/dovecot"};
    struct string_list units = {items, 2};
    long hz = sysconf(_SC_CLK_TCK);
    struct status s;

    put_process(dir, 50, 1, MASTER, hz, 0, 700);
    put_process(dir, 40, 50, "smtpd", hz, 0, 800); /* numbers wrap */
    put_process(dir, 30, 40, "child", hz, 0, 900);
    put_process(dir, 60, 1, MASTER "x", hz, 0, 700);
    put_process(dir, 61, 60, "", hz, 0, 700);
    begin(&s, &units, dir);
    (void)status_take(&s, 1000, 5000, &sink);
    put_process(dir, 40, 50, "smtpd", 2 * hz, 0, 800);
    OK(status_take(&s, 11000, 5000, &sink), "read");
    IS_INT(counted[COUNTER_STATUS_CPU_MS], 1000, "CPU time of a descendant");
    IS_INT(counted[COUNTER_STATUS_MEMORY_MIB_SECONDS], 480, "memory of three processes");
    IS_INT(counted[COUNTER_STATUS_THREAD_SECONDS], 60, "threads");
    IS_INT(counted[COUNTER_STATUS_HANDLE_SECONDS], 30, "open files");
    take_away(dir, 30);
    OK(status_take(&s, 21000, 5000, &sink), "a child has ended, and nobody waited for it yet");
    IS_INT(counted[COUNTER_STATUS_CPU_MS], 1000, "its CPU time is not taken back");
    put_process(dir, 40, 50, "smtpd", 2 * hz, 2 * hz, 800);
    OK(status_take(&s, 31000, 5000, &sink), "its parent did");
    IS_INT(counted[COUNTER_STATUS_CPU_MS], 2000, "and it counts once, with what came after");
    take_away(dir, 40);
    put_process(dir, 50, 1, MASTER, hz / 2, 0, 5000);
    OK(status_take(&s, 41000, 5000, &sink), "the master was started anew");
    IS_INT(counted[COUNTER_STATUS_CPU_MS], 2500, "and begins at 0");
    take_away(dir, 50);
    OK(!status_take(&s, 51000, 5000, &sink), "it is gone");
    IS_INT(counted[COUNTER_STATUS_SECONDS], 40, "this time counts nothing");
    status_fini(&s);
}

int main(void)
{
    char dir[] = "/tmp/tg-status-XXXXXX", command[100];

    if (mkdtemp(dir) == NULL)
        return 1;
    test_groups(dir);
    test_denied(dir);
    test_nothing(dir);
    test_programs(dir);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    OK(system(command) == 0, "removed");
    return tap_done();
}
