#include "collect/check.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "collect/feed.h"
#include "lib/sys/fault.h"

#define SOURCES "collect.sources"

static bool is_journal(const char *name)
{
    return feed_path(name) == name;
}

static bool is_whole_journal(const char *name)
{
    return strcmp(name, "journal:") == 0;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;

    return strcmp(a, b) == 0 ||
           (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* Journals with matches may have lines in common all the same: the running collector finds that
 * out (collect/twins.h). */
static bool overlap(const char *a, const char *b)
{
    if (is_journal(a) != is_journal(b))
        return false;
    if (is_journal(a))
        return strcmp(a, b) == 0 || is_whole_journal(a) || is_whole_journal(b);
    return is_same_file(feed_path(a), feed_path(b));
}

static void warn(const struct settings *s, FILE *out, const char *path)
{
    const char *file;
    size_t line;

    settings_place(s, SOURCES, &file, &line);
    if (access(path, F_OK) != 0)
        (void)fprintf(out, "%s:%zu: warning: %s: %s: %s; it is read when it comes\n", file, line,
                      SOURCES, path, strerror(errno));
    else if (access(path, R_OK) != 0)
        (void)fprintf(out,
                      "%s:%zu: warning: %s: %s: %s; give the account of tollgate-collect the group "
                      "of the log (usually adm)\n",
                      file, line, SOURCES, path, strerror(errno));
}

int check_logs(const struct settings *s, FILE *out, struct err *err)
{
    const struct string_list *list = &s->collect.sources;
    struct faults faults = {.out = out, .err = err, .code = EX_CONFIG};
    const char *file;
    size_t line;

    settings_place(s, SOURCES, &file, &line);
    for (size_t i = 0; i < list->count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (overlap(list->items[i], list->items[k]))
                fault_add(&faults, file, line,
                          "%s: %s and %s have the same lines, which would count twice; remove one",
                          SOURCES, list->items[k], list->items[i]);
        }
        if (out != NULL && !is_journal(list->items[i]))
            warn(s, out, feed_path(list->items[i]));
    }
    if (list->count == 0)
        fault_add(&faults, file, line, "%s: no log is named; name one, such as \"journal:\"",
                  SOURCES);
    faults_end(&faults);
    return faults.count == 0 ? 0 : -1;
}
