#ifndef TG_T_RELAY_SITE_FIXTURE_H
#define TG_T_RELAY_SITE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sys/settings.h"

/* A directory with a configuration and the files that it names. One translation unit a program. */

static char fixture_dir[64];

static void fixture_begin(void)
{
    (void)snprintf(fixture_dir, sizeof fixture_dir, "/tmp/tg-hosting-XXXXXX");
    if (mkdtemp(fixture_dir) == NULL)
        exit(1);
}

static void fixture_end(void)
{
    char command[100];

    (void)snprintf(command, sizeof command, "rm -r %s", fixture_dir);
    (void)!system(command);
}

static void fixture_write(const char *name, const char *text)
{
    char path[128];
    FILE *out;

    (void)snprintf(path, sizeof path, "%s/%s", fixture_dir, name);
    out = fopen(path, "w");
    if (out == NULL || fputs(text, out) == EOF || fclose(out) != 0)
        exit(1);
}

/* Settings: these lines, and a store that is not there. In lines, each `@` stands for the
 * directory. */
static struct settings *fixture_load(const char *lines)
{
    char path[128], text[4096];
    struct err err = {.code = 0};
    struct settings *s;
    size_t len = (size_t)snprintf(text, sizeof text,
                                  "state_dir = \"%s\";\nstore: { url = \"unix://%s/none\"; };\n",
                                  fixture_dir, fixture_dir);

    for (; *lines != '\0' && len + sizeof fixture_dir < sizeof text; lines++) {
        if (*lines == '@')
            len += (size_t)snprintf(text + len, sizeof text - len, "%s", fixture_dir);
        else
            text[len++] = *lines;
    }
    text[len] = '\0';
    fixture_write("conf", text);
    (void)snprintf(path, sizeof path, "%s/conf", fixture_dir);
    s = settings_load(path, stderr, &err);
    if (s == NULL)
        exit(1);
    return s;
}

#endif
