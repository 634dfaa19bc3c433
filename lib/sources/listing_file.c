#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sources/listing.h"

#define LINE_MAX_BYTES  ((size_t)1 << 20)
#define ENTRY_MAX_BYTES ((size_t)64 << 20)

static int cannot_read(struct err *err, const char *path, const char *why)
{
    return err_set(
        err, EX_NOINPUT,
        "source \"file:%s\": %s: make the file (it may be empty) and let tollgated read it", path,
        why);
}

static int cannot_use(struct err *err, const struct listing *l, const char *why)
{
    return err_set(err, EX_DATAERR, "source \"file:%s\": line %zu: %s", l->where, l->line, why);
}

/* A byte order mark that some editors leave is no part of the first name. */
static struct slice skip_bom(struct slice line)
{
    return slice_starts_nocase(line, SLICE("\xef\xbb\xbf")) ? slice_from(line, 3) : line;
}

/* What no text has that was made for us: 16-bit letters, or the line ends of old Macs, with which a
 * whole file is one line. */
static const char *line_fault(struct slice line)
{
    ptrdiff_t cr = slice_find(line, '\r');

    if (memchr(line.ptr, '\0', line.len) != NULL)
        return "it has NUL bytes, as UTF-16 has: save it as UTF-8";
    if (cr >= 0 && (size_t)cr + 1 < line.len && line.ptr[cr + 1] != '\n')
        return "its lines end with CR alone: end them with LF";
    return line.len > LINE_MAX_BYTES ? "it has a line of more than 1 MB: split it" : NULL;
}

/* An entry, of one line or of several, and the number of its first. */
struct file_entry {
    struct buf text;
    size_t line;
};

static int entry_flush(struct file_entry *e, struct listing *l, struct err *err)
{
    size_t now = l->line;
    int result = 0;

    if (e->text.failed)
        return err_set(err, EX_OSERR, "out of memory for the entries of a file");
    l->line = e->line;
    if (e->text.len > 0)
        result = listing_add_line(l, buf_slice(&e->text), err);
    l->line = now;
    buf_reset(&e->text);
    return result;
}

static int entry_line(struct file_entry *e, struct listing *l, struct slice line, struct err *err)
{
    struct slice content = source_line_content(line);
    int result = 0;

    if (content.len == 0)
        return 0;
    if (!source_line_continues(l->use, line) || e->text.len == 0) {
        result = entry_flush(e, l, err);
        e->line = l->line;
    }
    buf_add(&e->text, content);
    buf_add_char(&e->text, ' ');
    return result;
}

static int list_lines(FILE *in, struct listing *l, struct err *err)
{
    struct file_entry entry = {.line = 0};
    const char *fault = NULL;
    char *text = NULL;
    size_t room = 0;
    ssize_t len;
    int result = 0;

    buf_init(&entry.text, ENTRY_MAX_BYTES);
    while (result == 0 && fault == NULL && (len = getline(&text, &room, in)) >= 0) {
        struct slice line = {text, (size_t)len};

        l->line++;
        fault = line_fault(line);
        if (fault == NULL)
            result = entry_line(&entry, l, l->line == 1 ? skip_bom(line) : line, err);
    }
    if (result == 0 && fault == NULL)
        result = entry_flush(&entry, l, err);
    buf_fini(&entry.text);
    free(text);
    return fault != NULL ? cannot_use(err, l, fault) : result;
}

/* Non-blocking: a FIFO would hold us until somebody writes to it. */
static FILE *open_regular(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    FILE *in = NULL;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        (void)cannot_read(err, path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        (void)cannot_read(err, path, "it is no regular file");
    else if ((in = fdopen(fd, "r")) == NULL)
        (void)cannot_read(err, path, strerror(errno));
    if (in == NULL && fd >= 0)
        (void)close(fd);
    return in;
}

int listing_file(const struct source_name *name, struct listing *l, struct err *err)
{
    const char *path = name->path.ptr;
    FILE *in = open_regular(path, err);
    size_t before = l->entries;
    int result;

    if (in == NULL)
        return -1;
    listing_begin(l, path);
    result = list_lines(in, l, err);
    listing_end(l);
    if (result == 0 && ferror(in))
        result = cannot_read(err, path, strerror(errno));
    (void)fclose(in);
    if (result == 0 && l->entries == before && l->warning_count > 0)
        return err_set(err, EX_DATAERR,
                       "source \"file:%s\": none of its %zu lines can be used: see "
                       "tollgate-sources(5) for what a line holds",
                       path, l->line);
    return result;
}
