#ifndef TG_MILTER_CHECK_H
#define TG_MILTER_CHECK_H

#include <stdio.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/hosted.h"
#include "lib/sys/settings.h"

/*
 * What a valid configuration asks of this machine: accounts, groups, files, programs. `tollgated
 * -t` checks all of it; a start checks what it would not come upon by itself. Files are looked at
 * with the rights of the account in `user`.
 *
 * Each fault and each warning is one line: `file:line: setting: what is wrong; the fix`.
 * Threads: before any is started.
 */

enum check_scope {
    CHECK_TEST, /* -t: everything that a start refuses */
    CHECK_START /* what is not refused by the start itself */
};

/* -1 with *err (EX_CONFIG, the first fault) if there is any; all are written to `out` (NULL: none).
 */
int check_machine(const struct settings *s, enum check_scope scope, FILE *out,
                  struct err *err) TG_MUST_USE TG_NONNULL(1, 4);

/* Warns of settings that have no effect or that tell a secret. `hosted`: NULL if not loaded. */
void check_warn(const struct settings *s, const struct hosted *hosted, FILE *out) TG_NONNULL(1, 3);

#endif
