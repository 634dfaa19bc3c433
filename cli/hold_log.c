#include "cli/hold_log.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/hold_trace.h"
#include "lib/core/buf.h"
#include "lib/sys/clock.h"
#include "lib/sys/program.h"

#define CHUNK_BYTES ((size_t)1 << 20)
#define POSTCONF_MS 10000
#define READ_MS     60000

static const char *const usual[] = {"/var/log/mail.log", "/var/log/maillog"};

struct hold_log {
    const struct strmap *traces;
    int64_t since_s;
    bool is_out_of_memory;
};

/* --- one file -------------------------------------------------------------------------------- */

/* Applies all whole lines, and the last one, too, at the end; what is left stays in front. */
static void take_lines(const struct hold_log *l, struct buf *b, bool is_end)
{
    struct slice rest = buf_slice(b), line;
    const char *last = is_end || b->len == 0 ? NULL : memrchr(b->data, '\n', b->len);

    if (!is_end && last == NULL && b->len < CHUNK_BYTES)
        return;
    if (last != NULL)
        rest = slice_to(rest, (size_t)(last + 1 - b->data));
    while (slice_cut(&rest, '\n', &line))
        hold_trace_line(l->traces, line);
    b->len = last != NULL ? b->len - (size_t)(last + 1 - b->data) : 0;
    if (last != NULL)
        memmove(b->data, last + 1, b->len);
}

/* The newest `most` bytes. */
static void read_plain(struct hold_log *l, const char *path, size_t most)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    struct buf b;
    ssize_t got = 1;

    if (fd < 0)
        return;
    buf_init(&b, 2 * CHUNK_BYTES + 1);
    if (fstat(fd, &st) == 0 && (size_t)st.st_size > most)
        (void)lseek(fd, st.st_size - (off_t)most, SEEK_SET);
    while (got > 0) {
        char *space = buf_space(&b, CHUNK_BYTES);

        l->is_out_of_memory = l->is_out_of_memory || space == NULL;
        got = space != NULL ? read(fd, space, CHUNK_BYTES) : -1;
        b.len += got > 0 ? (size_t)got : 0;
        take_lines(l, &b, got <= 0);
    }
    buf_fini(&b);
    (void)close(fd);
}

static void read_output(struct hold_log *l, const char *const *argv)
{
    struct err ignored = {0};
    struct buf out, errors;

    buf_init(&out, HOLD_LOG_BYTES);
    buf_init(&errors, CHUNK_BYTES);
    if (program_run(argv, SLICE_NONE, &out, &errors, clock_monotonic_ms() + READ_MS, &ignored) == 0)
        take_lines(l, &out, true);
    buf_fini(&out);
    buf_fini(&errors);
}

static void read_file(struct hold_log *l, const char *path, size_t most)
{
    size_t len = strlen(path);
    const char *const unpack[] = {"gzip", "-dc", path, NULL};

    if (len > 3 && strcmp(path + len - 3, ".gz") == 0)
        read_output(l, unpack);
    else
        read_plain(l, path, most);
}

/* --- a log with its rotated files ------------------------------------------------------------ */

struct log_file {
    const char *path;
    struct timespec changed;
    size_t bytes;
};

static int by_age(const void *a, const void *b)
{
    const struct timespec *x = &((const struct log_file *)a)->changed,
                          *y = &((const struct log_file *)b)->changed;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* Files that were written to since then, the oldest first. */
static size_t choose(const struct hold_log *l, const glob_t *found, struct log_file *files)
{
    size_t count = 0;
    struct stat st;

    for (size_t i = 0; i < found->gl_pathc; i++) {
        if (stat(found->gl_pathv[i], &st) == 0 && S_ISREG(st.st_mode) &&
            access(found->gl_pathv[i], R_OK) == 0 && st.st_mtim.tv_sec >= l->since_s)
            files[count++] = (struct log_file){found->gl_pathv[i], st.st_mtim, (size_t)st.st_size};
    }
    qsort(files, count, sizeof *files, by_age);
    return count;
}

/* The newest HOLD_LOG_BYTES of them. */
static void read_files(struct hold_log *l, const struct log_file *files, size_t count)
{
    size_t first = count, bytes = 0;

    while (first > 0 && bytes < HOLD_LOG_BYTES)
        bytes += files[--first].bytes;
    for (size_t i = first; i < count; i++) {
        size_t over = i == first && bytes > HOLD_LOG_BYTES ? bytes - HOLD_LOG_BYTES : 0;

        read_file(l, files[i].path, files[i].bytes - over);
    }
}

/* False: no such file is in use. */
static bool read_log(struct hold_log *l, const char *path)
{
    struct log_file *files;
    char pattern[4096];
    size_t count = 0;
    glob_t found;

    (void)snprintf(pattern, sizeof pattern, "%s.*", path);
    (void)glob(path, 0, NULL, &found);
    (void)glob(pattern, GLOB_APPEND, NULL, &found);
    (void)snprintf(pattern, sizeof pattern, "%s-*", path);
    (void)glob(pattern, GLOB_APPEND, NULL, &found);
    files = calloc(found.gl_pathc + 1, sizeof *files);
    l->is_out_of_memory = l->is_out_of_memory || files == NULL;
    if (files != NULL) {
        count = choose(l, &found, files);
        read_files(l, files, count);
    }
    free(files);
    globfree(&found);
    return count > 0;
}

static void read_journal(struct hold_log *l)
{
    char since[32];
    const char *const argv[] = {"journalctl", "-q",  "--no-pager",        "-o", "short",
                                "--since",    since, "SYSLOG_FACILITY=2", NULL};

    (void)snprintf(since, sizeof since, "@%lld", (long long)l->since_s);
    read_output(l, argv);
}

static void read_usual(struct hold_log *l)
{
    bool is_there = false;

    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        is_there = read_log(l, usual[i]) || is_there;
    if (!is_there)
        read_journal(l);
}

/* --- the logs of the queues ------------------------------------------------------------------ */

/* The instance's maillog_file; false: it has none, and logs to syslog. */
static bool maillog_file(const struct hold_queue *q, char *out, size_t size)
{
    const char *const argv[] = {"postconf",
                                q->config != NULL ? "-c" : "-h",
                                q->config != NULL ? q->config : "maillog_file",
                                q->config != NULL ? "-h" : NULL,
                                "maillog_file",
                                NULL};
    struct err ignored = {0};
    struct buf text, errors;
    struct slice value;

    if (q->kind != HOLD_QUEUE_POSTFIX)
        return false;
    buf_init(&text, CHUNK_BYTES);
    buf_init(&errors, CHUNK_BYTES);
    if (program_run(argv, SLICE_NONE, &text, &errors, clock_monotonic_ms() + POSTCONF_MS,
                    &ignored) != 0)
        buf_reset(&text);
    value = slice_trim(buf_slice(&text));
    (void)snprintf(out, size, "%.*s", SLICE_FMT(value));
    buf_fini(&text);
    buf_fini(&errors);
    return value.len > 0;
}

int hold_log_read(const struct hold_queues *q, int64_t since_s, const struct strmap *traces,
                  struct err *err)
{
    struct hold_log l = {.traces = traces, .since_s = since_s};
    char paths[HOLD_QUEUE_MAX][1024];
    size_t count = 0;
    bool usual_is_due = false;

    for (size_t i = 0; i < q->count; i++) {
        size_t same = 0;

        if (!maillog_file(&q->list[i], paths[count], sizeof paths[count])) {
            usual_is_due = true;
            continue;
        }
        while (strcmp(paths[same], paths[count]) != 0)
            same++;
        if (same == count)
            (void)read_log(&l, paths[count++]);
    }
    if (usual_is_due)
        read_usual(&l);
    return l.is_out_of_memory ? err_set(err, EX_OSERR, "out of memory for the mail log") : 0;
}
