/* The server's status, from control groups and tables of connections of a folder. */
#include "t/tap.h"

#include <stdio.h>
#include <stdlib.h>

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

int main(void)
{
    static const struct sink sink = {.count = count};
    const char *items[] = {"dovecot.service", "postfix@-.service", "none.service"};
    struct string_list units = {items, 3};
    char dir[] = "/tmp/tg-status-XXXXXX", tcp[100], command[100];
    struct status s;
    struct err err;

    if (mkdtemp(dir) == NULL)
        return 1;
#define DOVECOT "system.slice/dovecot.service/"
#define POSTFIX "system.slice/system-postfix.slice/postfix@-.service/"
    put(dir, DOVECOT "cpu.stat", "usage_usec 5000000\nuser_usec 1\n");
    put(dir, DOVECOT "memory.current", "10485760\n");
    put(dir, DOVECOT "pids.current", "7\n");
    put(dir, POSTFIX "cpu.stat", "usage_usec 100\n");
    put(dir, POSTFIX "memory.current", "1048576\n");
    put(dir, POSTFIX "pids.current", "3\n");
    put(dir, "tcp",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
        "   0: 0100007F:0019 0200007F:8FFF 01 00000000:00000000 00:00000000 00000000     0\n"
        "   1: 0100007F:03E1 0200007F:8FFE 01 00000000:00000000 00:00000000 00000000     0\n"
        "   2: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
        "   3: 0100007F:0050 0200007F:8FFD 01 00000000:00000000 00:00000000 00000000     0\n");
    OK(status_init(&s, &units, &err) == 0, "init");
    (void)snprintf(tcp, sizeof tcp, "%s/tcp", dir);
    s.root = dir;
    s.tcp[0] = tcp;
    s.tcp[1] = "/nonexistent";
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
    OK(status_take(&s, 22000, 5000, &sink), "the third one");
    IS_INT(counted[COUNTER_STATUS_SECONDS], 21, "half seconds are not lost");
    OK(!status_take(&s, 200000, 5000, &sink), "a time that was not watched counts nothing");
    IS_INT(counted[COUNTER_STATUS_SECONDS], 21, "not even seconds");
    status_fini(&s);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    OK(system(command) == 0, "removed");
    return tap_done();
}
