#ifndef TG_SYS_DAEMON_H
#define TG_SYS_DAEMON_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * What the daemons have in common: their command line, and the way to the background.
 *
 * Threads: before any is started.
 */

struct daemon_options {
    const char *file; /* of the configuration; the installed one where none is named */
    bool foreground, test, print;
};

/* -c FILE, -f, -t, -T, -V, -h, and nothing else. -1: go on; else the exit code: what was asked for
 * (to `out`) or what is wrong (to `complaints`) has been written. */
int daemon_options_read(int argc, char **argv, const char *program, const char *version,
                        struct daemon_options *options, FILE *out, FILE *complaints);

/* The configuration, its faults told. NULL with *exit_code (EX_CONFIG). */
struct settings *daemon_settings(const struct daemon_options *options, const char *program,
                                 FILE *complaints, int *exit_code) TG_NONNULL(1);

/*
 * The parent stays at the terminal until the child says how its start went, and ends with that as
 * exit code, so that a fault at the start reaches whoever gave the command; so the child writes to
 * stderr until then.
 */
struct daemon_background {
    int parent; /* a pipe; -1: in the foreground, or all is said */
};

#define BACKGROUND_NONE ((struct daemon_background){-1})

/* 0: we are the child, in a session of its own. 1: we are the parent, and the child has said: exit
 * with *exit_code. */
int daemon_background_begin(struct daemon_background *b, int *exit_code,
                            struct err *err) TG_MUST_USE TG_NONNULL(1);
/* How the start went. After 0 the standard files lead nowhere. In the foreground: nothing. */
void daemon_background_done(struct daemon_background *b, int exit_code) TG_NONNULL(1);

#endif
