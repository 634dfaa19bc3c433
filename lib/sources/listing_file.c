#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sources/listing.h"

#define LINE_MAX_BYTES ((size_t)1 << 20)

static int cannot_read(struct err *err, const char *path, const char *why)
{
    return err_set(err, EX_NOINPUT,
                   "source \"file:%s\": %s: make the file (it may be empty), readable to us", path,
                   why);
}

/* A byte order mark that some editors leave is no part of the first name. */
static struct slice skip_bom(struct slice line)
{
    return slice_starts_nocase(line, SLICE("\xef\xbb\xbf")) ? slice_from(line, 3) : line;
}

static int list_lines(FILE *in, struct listing *l, struct err *err)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t len;
    int result = 0;

    while (result == 0 && (len = getline(&text, &room, in)) >= 0) {
        struct slice line = {text, (size_t)len};

        l->line++;
        if (line.len > LINE_MAX_BYTES)
            listing_warn(l, "a line of more than 1 MB: split it");
        else
            result = listing_add_line(l, l->line == 1 ? skip_bom(line) : line, err);
    }
    free(text);
    return result;
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
    int result;

    if (in == NULL)
        return -1;
    listing_begin(l, path);
    result = list_lines(in, l, err);
    listing_end(l);
    if (result == 0 && ferror(in))
        result = cannot_read(err, path, strerror(errno));
    (void)fclose(in);
    return result;
}
