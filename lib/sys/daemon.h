#ifndef TG_SYS_DAEMON_H
#define TG_SYS_DAEMON_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * Shared by the daemons: the command line, going to the background, and what is said of a start
 * that fails. Complaints go to stderr as "PROGRAM: text".
 *
 * Threads: before any is started.
 */

struct daemon_options {
    const char *file; /* of the configuration; the installed one where none is named */
    bool foreground, test, print;
    bool print_changed; /* with print: only what differs from the defaults */
};

struct option; /* getopt.h */

/* A program: what its options print, and those that it has alone. */
struct daemon_program {
    const char *name, *version;
    const char *commands;      /* lines of the help for its commands and own options, each with its
                                  LF; "": it has none */
    const struct option *more; /* long options, their values above 255; NULL: none */
    /* Takes one of them. -1: go on; else the exit code, after it has written the error. */
    int (*take)(void *context, int value, const char *argument, FILE *complaints);
    void *context;
};

/* -c FILE, -d, -f, -n, -t, -T, -V (--version), -h (--help). -1: go on; else the exit code, after
 * the requested text has been written to `out` or the error to `complaints`. */
int daemon_options_read(int argc, char **argv, const struct daemon_program *program,
                        struct daemon_options *options, FILE *out, FILE *complaints);

/* The configuration; its faults go to `complaints`. NULL with *exit_code (EX_CONFIG). */
struct settings *daemon_settings(const struct daemon_options *options, const char *program,
                                 FILE *complaints, int *exit_code) TG_NONNULL(1);

/* What -T or -n asked for, on stdout: EX_OK, or the exit code after a complaint. */
int daemon_settings_print(const struct daemon_options *options, const struct settings *s,
                          const char *program, FILE *complaints) TG_NONNULL(1, 2);

/*
 * The parent stays at the terminal until the child reports how its start went, and exits with that
 * code, so that a fault at the start reaches whoever typed the command; the child writes to stderr
 * until then.
 */
struct daemon_background {
    int parent; /* a pipe; -1: in the foreground, or already reported */
    const char *program;
    bool has_log; /* besides stderr */
};

/* Opens the log, and goes to the background unless `foreground` is set. 0: go on. 1: exit with
 * *exit_code; this is the parent, to which the child has reported, or it went wrong. */
int daemon_background_begin(struct daemon_background *b, const char *program,
                            const struct settings *s, bool foreground, int *exit_code) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 5);
/* Says on stderr, and in the log if that is elsewhere, why the start has failed. The exit code. */
int daemon_background_failed(const struct daemon_background *b, const struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* Reports how the start went. After 0 the standard files are /dev/null. No-op in the foreground. */
void daemon_background_done(struct daemon_background *b, int exit_code) TG_NONNULL(1);

/* The exit code, after the complaint. */
int daemon_complain(const char *program, const struct err *err) TG_NONNULL(1, 2);

/* What main does: run(argc, argv) with the standard descriptors open, its output written. */
int daemon_main(const char *program, int (*run)(int argc, char **argv), int argc,
                char **argv) TG_MUST_USE TG_NONNULL(1, 2, 4);

#endif
