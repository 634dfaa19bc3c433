#ifndef TG_CLI_CLASSIFY_SHOW_H
#define TG_CLI_CLASSIFY_SHOW_H

#include "lib/core/classify.h"
#include "lib/core/contract.h"
#include "lib/core/record.h"

/* How `tollgate classify` shows its answer: as text, or as one JSON object. */

struct shown {
    const struct facts *facts;
    const char *client; /* NULL: none */
    struct classified classified;
    struct record record;
    const char *popauth_unknown; /* why POP-before-SMTP could not be asked; NULL: it was, or needed
                                    not be */
};

/* 0 or an exit code, said. */
int classify_show_text(const struct shown *s, struct arena *arena) TG_NONNULL(1, 2);
int classify_show_json(const struct shown *s) TG_NONNULL(1);

#endif
