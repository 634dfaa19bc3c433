#ifndef TG_SYS_SETTINGS_TEXT_H
#define TG_SYS_SETTINGS_TEXT_H

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/sys/fault.h"

/*
 * The configuration as one text for libconfig, with every @include expanded and a map from the
 * lines of that text to files and their lines.
 *
 * Includes are expanded here because libconfig's own expansion differs between versions (1.5 looks
 * for an absolute path below the include directory). What libconfig accepts silently becomes a
 * fault: an unclosed comment or quote, a NUL byte, a number that does not fit.
 *
 * An included path is taken from the directory of the file that includes it.
 *
 * Owner: the caller; settings_text_fini.  Limits: 1 MB of text, 10 files deep, 100 files.
 */

struct settings_text {
    struct buf text;
    struct text_origin *origins; /* by line */
    size_t count, room;
    struct arena *arena; /* of names and origins */
};

/* -1: the file itself cannot be read (*err; EX_NOINPUT). All else is added to *faults. */
int settings_text_read(struct settings_text *t, const char *file, struct arena *arena,
                       struct faults *faults, struct err *err) TG_MUST_USE TG_NONNULL(1);
void settings_text_fini(struct settings_text *t);

/* Where a line of the text (from 1) stands. */
void settings_text_locate(const struct settings_text *t, size_t line, const char **file,
                          size_t *file_line) TG_NONNULL(1);

#endif
