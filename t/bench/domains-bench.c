/*
 * The hosted set: memory and time for a look-up. `domains-bench [ENTRIES]`, a million by default.
 * Prints entries, bytes, and nanoseconds a look-up for hits, misses and names below a wildcard,
 * each in random order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/core/hosted.h"
#include "t/random.h"

#define LOOKUPS 1000000

static double now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct hosted *hosted_build(uint32_t entries)
{
    struct hosted *w = hosted_new((size_t)4 << 30);
    struct err err = {.text = "out of memory"};
    char name[64];

    for (uint32_t i = 0; w != NULL && i < entries; i++) {
        int len = snprintf(name, sizeof name, "%scustomer-%07u.hosting.example",
                           i % 100 == 0 ? "." : "", i);

        if (hosted_add_domain(w, (struct slice){name, (size_t)len}, SLICE_NONE, &err) != 0) {
            (void)fprintf(stderr, "domains-bench: %s\n", err.text);
            exit(1);
        }
    }
    return w;
}

/* The names are made beforehand, so that only look-ups are timed. */
static void measure(const struct hosted *w, const char *what, const char *format, uint32_t from,
                    uint32_t entries)
{
    char(*names)[64] = calloc(LOOKUPS, sizeof *names);
    struct random_source r = {1};
    struct slice charged;
    size_t found = 0;
    double start;

    for (uint32_t i = 0; names != NULL && i < LOOKUPS; i++) {
        uint32_t n = from + random_below(&r, entries);

        (void)snprintf(names[i], sizeof names[i], "%scustomer-%07u.hosting.example", format,
                       n / 100 * 100 + (*format == '\0'));
    }
    start = now_ns();
    for (uint32_t i = 0; names != NULL && i < LOOKUPS; i++)
        found += hosted_domain(w, NULL, slice_str(names[i]), &charged) == HOSTED_YES;
    printf("%-9s %4.0f ns a look-up, %3.0f %% found\n", what, (now_ns() - start) / LOOKUPS,
           100.0 * (double)found / LOOKUPS);
    free(names);
}

int main(int argc, char **argv)
{
    uint32_t entries = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    struct hosted *w;

    if (entries < 100) {
        (void)fprintf(stderr, "usage: domains-bench [ENTRIES, at least 100]\n");
        return 64;
    }
    w = hosted_build(entries);
    if (w == NULL)
        return 71;
    printf("%zu entries, %zu bytes (%zu each)\n", w->domains.count, hosted_bytes(w),
           hosted_bytes(w) / w->domains.count);
    measure(w, "hit", "", 0, entries);
    measure(w, "miss", "", entries, entries);
    measure(w, "wildcard", "mail.", 0, entries);
    hosted_free(w);
    return 0;
}
