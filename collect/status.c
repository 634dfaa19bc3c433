#include "collect/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/slice.h"

#define LATE_MS     (6 * (int64_t)STATUS_EVERY_MS) /* longer ago: that time was not watched */
#define PATH_BYTES  1024
#define MIB         ((uint64_t)1 << 20)
#define ESTABLISHED 1

int status_init(struct status *s, const struct string_list *units, struct err *err)
{
    *s = (struct status){.units = units,
                         .root = "/sys/fs/cgroup",
                         .tcp = {"/proc/net/tcp", "/proc/net/tcp6"},
                         .cpu_us = calloc(units->count + 1, sizeof *s->cpu_us)};
    if (s->cpu_us == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < units->count; i++)
        s->cpu_us[i] = UINT64_MAX;
    return 0;
}

void status_fini(struct status *s)
{
    free(s->cpu_us);
    s->cpu_us = NULL;
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
    uint64_t cpu_us, bytes, threads;
};

/* A unit that was started anew begins at 0. */
static void unit_add(struct status *s, size_t i, struct status_sum *sum)
{
    const char *unit = s->units->items[i];
    uint64_t cpu_us, value;

    if (!unit_number(s, unit, "cpu.stat", "usage_usec", &cpu_us)) {
        s->cpu_us[i] = UINT64_MAX;
        return;
    }
    if (s->cpu_us[i] != UINT64_MAX)
        sum->cpu_us += cpu_us >= s->cpu_us[i] ? cpu_us - s->cpu_us[i] : cpu_us;
    s->cpu_us[i] = cpu_us;
    if (unit_number(s, unit, "memory.current", NULL, &value))
        sum->bytes += value;
    if (unit_number(s, unit, "pids.current", NULL, &value))
        sum->threads += value;
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

bool status_take(struct status *s, int64_t now_ms, int64_t time_ms, const struct sink *sink)
{
    struct status_sum sum = {.cpu_us = 0};
    uint64_t past_ms = (uint64_t)(now_ms - s->last_ms), open;
    bool is_watched = s->last_ms != 0 && now_ms - s->last_ms <= LATE_MS;

    if (s->units->count == 0 || (s->last_ms != 0 && now_ms < s->last_ms + STATUS_EVERY_MS))
        return false;
    for (size_t i = 0; i < s->units->count; i++)
        unit_add(s, i, &sum);
    s->last_ms = now_ms;
    if (!is_watched)
        return false;
    open = connections(s->tcp[0]) + connections(s->tcp[1]);
    tell(sink, time_ms, COUNTER_STATUS_SECONDS, &s->rest.ms, past_ms, 1000);
    tell(sink, time_ms, COUNTER_STATUS_CPU_MS, &s->rest.cpu_us, sum.cpu_us, 1000);
    tell(sink, time_ms, COUNTER_STATUS_MEMORY_MIB_SECONDS, &s->rest.byte_ms, sum.bytes * past_ms,
         MIB * 1000);
    tell(sink, time_ms, COUNTER_STATUS_THREAD_SECONDS, &s->rest.thread_ms, sum.threads * past_ms,
         1000);
    tell(sink, time_ms, COUNTER_STATUS_CONNECTION_SECONDS, &s->rest.connection_ms, open * past_ms,
         1000);
    return true;
}
