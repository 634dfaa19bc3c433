#ifndef TG_CLI_DOCTOR_H
#define TG_CLI_DOCTOR_H

#include "cli/cli.h"

/*
 * `tollgate doctor`: one line a finding, `ok`, `warn` or `fail`, what it is about, and what was
 * found; where something is wrong, a line `mend:` says what to do. Each check goes on as far as it
 * can, and changes nothing.
 */

enum verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
    struct cli *cli;
    const char *postfix_dir; /* --postfix; NULL: Postfix's own */
    bool colour;
    unsigned width;      /* of the terminal; 0: any */
    bool store_is_there; /* found by doctor_store, used by what comes after */
    int64_t now_s;
    unsigned counts[3];
    struct arena arena;
};

void doctor_say(struct doctor *d, enum verdict verdict, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Belongs to the finding before it. */
void doctor_mend(const struct doctor *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void doctor_state_dir(struct doctor *d);
void doctor_store(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_nodes(struct doctor *d);
void doctor_ledger(struct doctor *d);
void doctor_socket(struct doctor *d);
void doctor_postfix(struct doctor *d);
void doctor_hosted(struct doctor *d);

#endif
