#ifndef TG_T_SOURCES_SOURCE_FIXTURE_H
#define TG_T_SOURCES_SOURCE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "lib/sources/source.h"

/* Loading a hosted out of sources in a directory, and asking it. Each answer is a static text, good
 * until the next. */

static struct settings settings;
static char warnings[65536];
static const char *source_dir; /* set before use */

static inline void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *out;

    (void)snprintf(path, sizeof path, "%s/%s", source_dir, name);
    out = fopen(path, "w");
    (void)fputs(text, out);
    (void)fclose(out);
}

/* `names`: sources separated by blanks; %s in a name becomes the directory. */
static inline struct string_list list_of(const char *names)
{
    static char texts[16][256];
    static const char *items[16];
    static size_t used;
    struct slice rest = slice_str(names), name;
    struct string_list list = {.count = 0};

    used = used > 8 ? 0 : used;
    list.items = items + used;
    while (slice_word(&rest, " ", &name)) {
        bool is_file = slice_starts_nocase(name, SLICE("file:"));

        (void)snprintf(texts[used], sizeof texts[used], "%s%s%s%.*s", is_file ? "file:" : "",
                       is_file ? source_dir : "", is_file ? "/" : "",
                       SLICE_FMT(slice_from(name, is_file ? 5 : 0)));
        items[used] = texts[used];
        used++;
        list.count++;
    }
    return list;
}

static inline void use_sources(const char *domains, const char *forwards, const char *logins)
{
    settings.hosted.domains = list_of(domains);
    settings.hosted.forwards = list_of(forwards);
    settings.hosted.logins = list_of(logins);
}

static inline struct hosted *load(struct err *err)
{
    FILE *out = fmemopen(warnings, sizeof warnings, "w");
    struct hosted *w;

    warnings[0] = '\0'; /* also where nothing is written */
    w = source_load(&settings, out, err);

    (void)fclose(out);
    return w;
}

static inline const char *charged(const struct hosted *w, const char *domain)
{
    static char text[256];
    struct slice owner = SLICE_NONE;

    if (hosted_domain(w, NULL, slice_str(domain), &owner) != HOSTED_YES)
        return "-";
    (void)snprintf(text, sizeof text, "%.*s", SLICE_FMT(owner));
    return text;
}

/* All targets, separated by blanks. */
static inline const char *targets(const struct hosted *w, const char *address)
{
    static char text[512];
    struct forward_targets found;
    struct address a;
    struct arena arena;
    size_t len = 0;

    arena_init(&arena, 65536);
    (void)snprintf(text, sizeof text, "-");
    if (address_parse(slice_str(address), &arena, &a, NULL) == 0 &&
        hosted_forward(w, NULL, &a, &found) == HOSTED_YES) {
        text[0] = '\0';
        for (size_t i = 0; i < found.count; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", i > 0 ? " " : "",
                                    SLICE_FMT(found.list[i]));
    }
    arena_fini(&arena);
    return text;
}

/* Who gets a copy of the mail to, or from, that address. */
static inline const char *copy_of(const struct hosted *w, enum hosted_copy kind,
                                  const char *address)
{
    static char text[256];
    struct address a, to;
    struct arena arena;

    arena_init(&arena, 65536);
    (void)snprintf(text, sizeof text, "-");
    if (address_parse(slice_str(address), &arena, &a, NULL) == 0 &&
        hosted_copy(w, NULL, kind, &a, &arena, &to) == HOSTED_YES)
        (void)snprintf(text, sizeof text, "%.*s@%.*s", SLICE_FMT(to.local), SLICE_FMT(to.domain));
    arena_fini(&arena);
    return text;
}

static inline const char *login(const struct hosted *w, const char *name)
{
    static char text[256];
    struct address a;
    struct arena arena;

    arena_init(&arena, 65536);
    (void)snprintf(text, sizeof text, "-");
    if (hosted_login(w, NULL, slice_str(name), &arena, &a) == HOSTED_YES)
        (void)snprintf(text, sizeof text, "%.*s@%.*s", SLICE_FMT(a.local), SLICE_FMT(a.domain));
    arena_fini(&arena);
    return text;
}

#endif
