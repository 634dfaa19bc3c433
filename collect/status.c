#include "collect/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "collect/notes.h"

#define LATE_MS     (6 * (int64_t)STATUS_EVERY_MS) /* longer ago: that time was not watched */
#define PATH_BYTES  1024
#define MIB         ((uint64_t)1 << 20)
#define ESTABLISHED 1

int status_init(struct status *s, const struct string_list *units, struct err *err)
{
    *s = (struct status){.units = units,
                         .root = "/sys/fs/cgroup",
                         .proc = "/proc",
                         .queue = {.program = "postqueue"},
                         .tcp = {"/proc/net/tcp", "/proc/net/tcp6"},
                         .last = calloc(units->count + 1, sizeof *s->last)};
    if (s->last == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < units->count; i++)
        s->last[i].cpu_us = UINT64_MAX;
    return 0;
}

void status_fini(struct status *s)
{
    processes_fini(&s->processes);
    queue_watch_fini(&s->queue);
    free(s->last);
    s->last = NULL;
}

/* --- control groups ----------------------------------------------------------------------------
 */

/* Instances of a template ("postfix@-.service") have a slice of their own. */
static FILE *unit_file(const struct status *s, const char *unit, const char *name)
{
    const char *at = strchr(unit, '@');
    char path[PATH_BYTES];

    if (at != NULL)
        (void)snprintf(path, sizeof path, "%s/system.slice/system-%.*s.slice/%s/%s", s->root,
                       (int)(at - unit), unit, unit, name);
    else
        (void)snprintf(path, sizeof path, "%s/system.slice/%s/%s", s->root, unit, name);
    return fopen(path, "re");
}

/* The number behind `word` in the unit's file, or its first number where there is no word. */
static bool unit_number(const struct status *s, const char *unit, const char *name,
                        const char *word, uint64_t *value)
{
    FILE *f = unit_file(s, unit, name);
    char key[64];
    bool found = false;

    if (f == NULL)
        return false;
    if (word == NULL)
        found = fscanf(f, "%" SCNu64, value) == 1;
    while (word != NULL && !found && fscanf(f, "%63s %" SCNu64, key, value) == 2)
        found = strcmp(key, word) == 0;
    (void)fclose(f);
    return found;
}

struct status_sum {
    size_t units; /* that were there */
    uint64_t cpu_us, bytes, threads, handles;
    bool is_denied; /* the open files of a process */
};

static void handles_add(const struct status *s, pid_t pid, struct status_sum *sum)
{
    int64_t handles = processes_handles(s->proc, pid);

    if (handles < 0)
        sum->is_denied = true;
    else
        sum->handles += (uint64_t)handles;
}

static void unit_handles(const struct status *s, const char *unit, struct status_sum *sum)
{
    FILE *f = unit_file(s, unit, "cgroup.procs");
    int pid;

    if (f == NULL) {
        sum->is_denied = true;
        return;
    }
    while (fscanf(f, "%d", &pid) == 1)
        handles_add(s, (pid_t)pid, sum);
    (void)fclose(f);
}

/* A unit that was started anew begins at 0. */
static void unit_add(struct status *s, size_t i, struct status_sum *sum)
{
    const char *unit = s->units->items[i];
    uint64_t *last = &s->last[i].cpu_us, cpu_us, value;

    if (!unit_number(s, unit, "cpu.stat", "usage_usec", &cpu_us)) {
        *last = UINT64_MAX;
        return;
    }
    sum->units++;
    if (*last != UINT64_MAX)
        sum->cpu_us += cpu_us >= *last ? cpu_us - *last : cpu_us;
    *last = cpu_us;
    if (unit_number(s, unit, "memory.current", NULL, &value))
        sum->bytes += value;
    if (unit_number(s, unit, "pids.current", NULL, &value))
        sum->threads += value;
    unit_handles(s, unit, sum);
}

/* --- programs ----------------------------------------------------------------------------------
 */

/* A process that ends between two looks may be lost from the sum until its parent has waited for
 * it: the highest sum counts, as long as it is the same start of the program. */
static uint64_t program_cpu_us(struct status_unit *last, const struct processes_sum *now)
{
    uint64_t before = last->start == now->start ? last->cpu_us : 0;
    uint64_t cpu_us = now->cpu_us > before ? now->cpu_us : before;
    bool is_first = last->cpu_us == UINT64_MAX;

    *last = (struct status_unit){is_first ? now->cpu_us : cpu_us, now->start};
    return is_first ? 0 : cpu_us - before;
}

static void program_add(struct status *s, size_t i, struct status_sum *sum)
{
    struct processes_sum now = processes_add_up(&s->processes, i);

    if (now.count == 0) {
        s->last[i] = (struct status_unit){UINT64_MAX, 0};
        return;
    }
    sum->units++;
    sum->cpu_us += program_cpu_us(&s->last[i], &now);
    sum->bytes += now.bytes;
    sum->threads += now.threads;
    for (size_t j = 0; j < s->processes.count; j++)
        if (s->processes.items[j].program == (ssize_t)i)
            handles_add(s, s->processes.items[j].pid, sum);
}

static bool is_program(const char *unit)
{
    return unit[0] == '/';
}

/* All processes are read once, and only if a program is watched. */
static void programs_read(struct status *s)
{
    struct err e;

    s->processes.count = 0;
    for (size_t i = 0; i < s->units->count; i++) {
        if (!is_program(s->units->items[i]))
            continue;
        if (processes_read(&s->processes, s->proc, s->units, &e) < 0)
            s->processes.count = 0;
        return;
    }
}

static struct status_sum add_up(struct status *s)
{
    struct status_sum sum = {.units = 0};

    programs_read(s);
    for (size_t i = 0; i < s->units->count; i++) {
        if (is_program(s->units->items[i]))
            program_add(s, i, &sum);
        else
            unit_add(s, i, &sum);
    }
    return sum;
}

/* --- connections -------------------------------------------------------------------------------
 */

static bool is_of_mail(unsigned port)
{
    static const unsigned ports[] = {25, 110, 143, 465, 587, 993, 995, 4190};

    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        if (port == ports[i])
            return true;
    }
    return false;
}

static uint64_t connections(const char *path)
{
    FILE *f = fopen(path, "re");
    unsigned port, state;
    uint64_t count = 0;
    char line[512];

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, " %*[0-9]: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &port, &state) == 2 &&
            state == ESTABLISHED && is_of_mail(port))
            count++;
    }
    if (f != NULL)
        (void)fclose(f);
    return count;
}

/* --- a reading ---------------------------------------------------------------------------------
 */

/* Counts whole units of what has come together; the rest waits. */
static void tell(const struct sink *sink, int64_t time_ms, enum counter id, uint64_t *rest,
                 uint64_t more, uint64_t unit)
{
    *rest += more;
    if (*rest >= unit)
        sink->count(sink->to, time_ms, &PAYER_NONE, id, *rest / unit);
    *rest %= unit;
}

static void tell_all(struct status *s, const struct sink *sink, int64_t time_ms, uint64_t past_ms,
                     const struct status_sum *sum)
{
    uint64_t open = connections(s->tcp[0]) + connections(s->tcp[1]);
    struct status_rest *rest = &s->rest;

    tell(sink, time_ms, COUNTER_STATUS_SECONDS, &rest->ms, past_ms, 1000);
    tell(sink, time_ms, COUNTER_STATUS_CPU_MS, &rest->cpu_us, sum->cpu_us, 1000);
    tell(sink, time_ms, COUNTER_STATUS_MEMORY_MIB_SECONDS, &rest->byte_ms, sum->bytes * past_ms,
         MIB * 1000);
    tell(sink, time_ms, COUNTER_STATUS_THREAD_SECONDS, &rest->thread_ms, sum->threads * past_ms,
         1000);
    tell(sink, time_ms, COUNTER_STATUS_CONNECTION_SECONDS, &rest->connection_ms, open * past_ms,
         1000);
    s->signs = 0;
    if (!s->queue.is_known)
        s->signs |= NOTES_NO_QUEUE | NOTES_LACKED_QUEUE;
    else
        tell(sink, time_ms, COUNTER_STATUS_SPOOL_SECONDS, &rest->message_ms,
             s->queue.messages * past_ms, 1000);
    if (sum->is_denied)
        s->signs |= NOTES_NO_HANDLES | NOTES_LACKED_HANDLES;
    else
        tell(sink, time_ms, COUNTER_STATUS_HANDLE_SECONDS, &rest->handle_ms, sum->handles * past_ms,
             1000);
}

bool status_take(struct status *s, int64_t now_ms, int64_t time_ms, const struct sink *sink)
{
    bool is_watched = s->last_ms != 0 && now_ms - s->last_ms <= LATE_MS;
    uint64_t past_ms = (uint64_t)(now_ms - s->last_ms);
    struct status_sum sum;

    if (s->units->count == 0)
        return false;
    queue_watch_run(&s->queue, now_ms);
    if (s->last_ms != 0 && now_ms < s->last_ms + STATUS_EVERY_MS)
        return false;
    sum = add_up(s);
    s->last_ms = now_ms;
    if (!is_watched || sum.units == 0)
        return false;
    tell_all(s, sink, time_ms, past_ms, &sum);
    return true;
}
