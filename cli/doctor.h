#ifndef TG_CLI_DOCTOR_H
#define TG_CLI_DOCTOR_H

#include "cli/cli.h"
#include "lib/core/contract.h"

/*
 * `tollgate doctor`: one line per finding, with its verdict, its subject and what was found; where
 * something is wrong, a line `fix:` says what to do. A check that could not look says `unknown`,
 * never `ok`. Each check goes on as far as it can, and changes nothing.
 */

enum verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_UNKNOWN, DOCTOR_VERDICTS };

struct doctor {
    struct cli *cli;
    const char *postfix_dir; /* --postfix; NULL: Postfix's own */
    const char *etc_dir;     /* --etc; NULL: /etc */
    bool colour;
    unsigned width;      /* of the terminal; 0: any */
    bool store_is_there; /* found by doctor_store, used by what comes after */
    char server[96];     /* the subject of what is said of one server of the store */
    const char *where;   /* its address */
    int64_t now_s;
    unsigned counts[DOCTOR_VERDICTS];
    int format;              /* 0: text, 1: JSON */
    struct json_t *findings; /* of JSON, written at the end; NULL: each is written at once */
    struct arena arena;
};

void doctor_say(struct doctor *d, enum verdict verdict, const char *what, const char *format, ...)
    TG_PRINTF(4, 5) TG_NONNULL(1);
/* Both belong to the finding before them. */
void doctor_detail(const struct doctor *d, const char *format, ...) TG_PRINTF(2, 3) TG_NONNULL(1);
void doctor_fix(const struct doctor *d, const char *format, ...) TG_PRINTF(2, 3) TG_NONNULL(1);

/* What stands below all findings, or the whole JSON. An exit code, said. */
int doctor_finish(const struct doctor *d) TG_NONNULL(1);

/* Whether the daemon that holds that lock for its life runs. */
void doctor_running(struct doctor *d, const char *subject, const char *daemon, const char *lock)
    TG_NONNULL(1, 2, 3, 4);

void doctor_state_dir(struct doctor *d) TG_NONNULL(1);
void doctor_store(struct doctor *d) TG_NONNULL(1);
void doctor_clock(struct doctor *d) TG_NONNULL(1);
void doctor_nodes(struct doctor *d) TG_NONNULL(1);
void doctor_ledger(struct doctor *d) TG_NONNULL(1);
void doctor_socket(struct doctor *d) TG_NONNULL(1);
void doctor_postfix(struct doctor *d) TG_NONNULL(1);
void doctor_hosted(struct doctor *d) TG_NONNULL(1);
void doctor_collect(struct doctor *d) TG_NONNULL(1);
void doctor_syslog(struct doctor *d) TG_NONNULL(1);
struct postconf;
void doctor_copies(struct doctor *d, const struct postconf *conf) TG_NONNULL(1, 2);

#endif
