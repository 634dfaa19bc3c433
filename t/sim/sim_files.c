#include "t/sim/sim_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "t/sim/sim_image.h"

#define PATH_ROOM 600

static void file_copy(const char *from, const char *to)
{
    static char bytes[1 << 16];
    FILE *in = fopen(from, "re"), *out = fopen(to, "we");
    size_t len;

    if (in == NULL || out == NULL)
        abort();
    while ((len = fread(bytes, 1, sizeof bytes, in)) > 0) {
        if (fwrite(bytes, 1, len, out) != len)
            abort();
    }
    if (fclose(in) != 0 || fclose(out) != 0)
        abort();
}

static bool is_one(const char *name)
{
    return name[0] != '.' && strcmp(name, "journal") != 0;
}

/* Each file of one directory; `to` NULL: removed. */
static void files_each(const char *from, const char *to)
{
    DIR *d = opendir(from);
    const struct dirent *entry;
    char source[PATH_ROOM], target[PATH_ROOM];

    if (d == NULL && errno == ENOENT && to == NULL)
        return;
    if (d == NULL || (to != NULL && mkdir(to, 0700) != 0 && errno != EEXIST))
        abort();
    while ((entry = readdir(d)) != NULL) {
        if (!is_one(entry->d_name))
            continue;
        (void)snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        (void)snprintf(target, sizeof target, "%s/%s", to != NULL ? to : "", entry->d_name);
        if (to != NULL)
            file_copy(source, target);
        else if (remove(source) != 0)
            abort();
    }
    (void)closedir(d);
}

static void journal_path(const char *dir, char path[PATH_ROOM])
{
    (void)snprintf(path, PATH_ROOM, "%s/journal", dir);
}

void sim_files_copy(const char *from, const char *to, enum sim_files which)
{
    char source[PATH_ROOM], target[PATH_ROOM];

    if (which != SIM_FILES_JOURNAL) {
        files_each(from, to);
        sim_images_copy(from, to);
    }
    journal_path(from, source);
    journal_path(to, target);
    if (which != SIM_FILES_LEDGER)
        files_each(source, target);
}

void sim_files_remove(const char *dir, enum sim_files which)
{
    char path[PATH_ROOM];

    if (which != SIM_FILES_JOURNAL) {
        files_each(dir, NULL);
        sim_images_remove(dir);
    }
    journal_path(dir, path);
    if (which != SIM_FILES_LEDGER)
        files_each(path, NULL);
}
