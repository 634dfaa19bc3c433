#ifndef TG_T_COLLECT_SAMPLES_FIXTURE_H
#define TG_T_COLLECT_SAMPLES_FIXTURE_H

#include "t/collect/machine_fixture.h"

#include "collect/mail_machines.h"

/*
 * Sections of the sample logs, as logs of machines that are not on loopback: 127.0.0.1 becomes
 * 192.0.2.1, "localhost" client.example.
 */

static const struct fixture_part samples_part = {mail_machines_line, mail_machines_tick,
                                                 mail_machines_types};

/* Replaces every `from` by `to`; frees `text`. */
static inline char *samples_replace(char *text, const char *from, const char *to)
{
    struct buf b;
    char *at = text, *next;

    buf_init(&b, (size_t)1 << 24);
    while ((next = strstr(at, from)) != NULL) {
        buf_add(&b, (struct slice){at, (size_t)(next - at)});
        buf_add_str(&b, to);
        at = next + strlen(from);
    }
    buf_add_str(&b, at);
    TG_ASSERT(!b.failed);
    free(text);
    return b.data;
}

/* The lines of all sections whose title begins with `title`, as they are; the caller frees. */
static inline char *samples_raw(const char *file, const char *title)
{
    size_t len;
    char *all = fixture_read(file, &len);
    struct slice rest = {all, len}, line;
    bool is_in = false;
    struct buf b;

    buf_init(&b, (size_t)1 << 24);
    while (slice_cut(&rest, '\n', &line)) {
        if (line.len > 3 && memcmp(line.ptr, "## ", 3) == 0)
            is_in = slice_equal(slice_to(slice_from(line, 3), strlen(title)), slice_str(title));
        else if (is_in && line.len > 0 && line.ptr[0] != '#')
            buf_addf(&b, "%.*s\n", SLICE_FMT(line));
    }
    free(all);
    TG_ASSERT(!b.failed && b.len > 0);
    return b.data;
}

static inline char *samples_section(const char *file, const char *title)
{
    char *text = samples_raw(file, title);

    text = samples_replace(text, "127.0.0.1", "192.0.2.1");
    return samples_replace(text, "localhost", "client.example");
}

/* A section gives these amounts, whole and cut into folds; from this host, `want_here`. */
static inline void samples_check(struct fixture *f, const char *file, const char *title,
                                 const char *want, const char *want_here)
{
    char *text = samples_section(file, title), *here = samples_raw(file, title);

    fixture_check(f, &samples_part, text, want, title);
    fixture_check(f, &samples_part, here, want_here, "the same on loopback");
    free(text);
    free(here);
}

#endif
