/*
 * How many log lines the collector takes apart in a second on one core, and in how much memory: a
 * file of 1,000,000 lines made of the samples in t/data/collect (or LINES), read line by line.
 *
 *     TG_SOURCE=... lines-bench [LINES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "collect/dovecot.h"
#include "collect/filters.h"
#include "collect/log_reader.h"
#include "lib/sys/clock.h"

static uint64_t counted;

static void count(void *to, int64_t time_ms, const struct payer *payer, enum counter id,
                  uint64_t amount)
{
    (void)to;
    (void)time_ms;
    (void)payer;
    (void)id;
    counted += amount;
}

static void sample_read(const char *name, struct buf *lines)
{
    char path[1024], *line = NULL;
    const char *source = getenv("TG_SOURCE");
    size_t room = 0;
    ssize_t len;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/t/data/collect/%s", source != NULL ? source : ".", name);
    file = fopen(path, "r");
    while (file != NULL && (len = getline(&line, &room, file)) > 0) {
        if (line[0] != '#' && len > 1)
            buf_add(lines, (struct slice){line, (size_t)len});
    }
    if (file != NULL)
        (void)fclose(file);
    free(line);
}

static FILE *log_make(size_t want, size_t *bytes)
{
    struct buf lines;
    FILE *log = tmpfile();
    size_t made = 0;

    buf_init(&lines, (size_t)4 << 20);
    sample_read("maillog-samples.txt", &lines);
    sample_read("collector-samples.txt", &lines);
    if (log == NULL || lines.len == 0) {
        (void)fprintf(stderr, "no samples: set TG_SOURCE\n");
        exit(66);
    }
    for (*bytes = 0; made < want;) {
        struct slice rest = buf_slice(&lines), line;

        while (made < want && slice_cut(&rest, '\n', &line) && rest.ptr != NULL) {
            (void)fwrite(line.ptr, 1, line.len + 1, log);
            *bytes += line.len + 1;
            made++;
        }
    }
    buf_fini(&lines);
    rewind(log);
    return log;
}

struct totals {
    size_t lines, read, known;
};

static void log_run(FILE *log, struct machine *m, struct totals *t)
{
    static struct slice names[] = {{"postfix", 7}};
    static const struct machine_list list = {names, 1};
    const struct log_setup setup = {&list, NULL};
    int64_t now_ms = clock_unix_ms();
    struct read_time_bounds bounds = {now_ms, now_ms};
    struct log_reading reading;
    struct log_reader reader;
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    log_reader_init(&reader, &setup, 0);
    while ((len = getline(&line, &room, log)) > 0) {
        t->lines++;
        if (!log_reader_read(&reader, (struct slice){line, (size_t)len - 1}, &bounds, &reading))
            continue;
        t->read++;
        t->known += m != NULL && (dovecot_line(m, &reading.line) != NULL ||
                                  filters_line(m, &reading.line) != NULL);
        if (m != NULL && t->lines % 10000 == 0)
            owners_reset(m->owners);
    }
    log_reader_fini(&reader);
    free(line);
}

static void report(const char *what, int64_t began_ms, size_t lines)
{
    int64_t ms = clock_monotonic_ms() - began_ms;
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    printf("%s: %zu lines in %lld ms, %lld lines/s, %ld KiB of memory at most\n", what, lines,
           (long long)ms, (long long)lines * 1000 / (ms > 0 ? ms : 1), usage.ru_maxrss);
}

int main(int argc, char **argv)
{
    size_t want = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000, bytes;
    struct hosted *hosted = hosted_new((size_t)1 << 20);
    const struct sink sink = {.count = count};
    const struct machine_rules rules = {.spam_service = SPAM_SPAMD};
    struct totals alone = {0}, all = {0};
    struct machine m = {.rules = &rules, .sink = &sink, .open = open_new()};
    struct owners owners;
    FILE *log = log_make(want, &bytes);
    int64_t began_ms;

    if (hosted_add_domain(hosted, SLICE("host.test"), SLICE_NONE, NULL) != 0)
        return 71;
    owners_init(&owners, hosted);
    m.owners = &owners;
    dovecot_types(m.open);
    filters_types(m.open);
    printf("%zu lines, %zu bytes\n", want, bytes);
    began_ms = clock_monotonic_ms();
    log_run(log, NULL, &alone);
    report("the reader alone", began_ms, alone.lines);
    rewind(log);
    began_ms = clock_monotonic_ms();
    log_run(log, &m, &all);
    report("with Dovecot and the filters", began_ms, all.lines);
    printf("%zu read, %zu of these two, %llu counted\n", all.read, all.known,
           (unsigned long long)counted);
    (void)fclose(log);
    open_free(m.open);
    owners_fini(&owners);
    hosted_free(hosted);
    return 0;
}
