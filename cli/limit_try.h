#ifndef TG_CLI_LIMIT_TRY_H
#define TG_CLI_LIMIT_TRY_H

#include "cli/range.h"
#include "lib/admin/holder.h"
#include "lib/core/contract.h"
#include "lib/core/limit_replay.h"
#include "lib/ledger/messages_read.h"

/*
 * tollgate limit try: what a limit would have stopped in the past. Message by message as far back
 * as this node's journal is kept; before that by the figures of hours, which give bounds.
 */

/* Stops of one window that follow each other, with no message that fitted in between. */
struct try_stop {
    int64_t from_ms, to_ms; /* the first and the last */
    struct slice user;      /* of the window; of the account's: whose message was the first */
    uint64_t messages, recipients, bytes;
    uint64_t most; /* used and wanted together, at most */
};

/* Whose messages were stopped, where the window is not a user's: all of one user. */
struct try_person {
    struct slice user; /* empty: nobody's */
    uint64_t messages, recipients, bytes;
};

/* Message by message. */
struct try_exact {
    time_t from, to;                    /* nothing: from == to */
    struct message_row passed, stopped; /* sums */
    struct try_stop *stops;             /* the oldest first */
    size_t count, room;
    struct try_person *people; /* the most messages first; of windows of users none */
    size_t people_count, people_room;
    uint64_t others; /* messages whose record is not kept any more */
};

/* By hours. */
struct try_hours {
    time_t from, to;
    struct limit_replay_hour *hours;
    size_t count, may;          /* may: in so many something may have been stopped */
    uint64_t at_least, at_most; /* of the limit's metric */
};

struct limit_try {
    struct cli *cli;
    const struct setup *setup;
    struct holder holder;
    struct limit limit;
    struct range range;
    const char *from_text, *to_text;
    bool users;
    int format; /* enum format */
    struct try_exact exact;
    struct try_hours hours;
    struct name_list nodes; /* others that count for the store */
    struct strmap open;     /* window -> place of its latest stop */
    struct strmap persons;  /* user -> place among the people */
    struct limit_replay replay;
    struct arena arena;
};

/* "recipients", "300/hour". EX_USAGE. */
int limit_try_parse(struct limit_try *w, struct slice metric, struct slice rate,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* 0 or an exit code, said. */
int limit_try(struct limit_try *w) TG_NONNULL(1);
int limit_try_show(struct limit_try *w) TG_NONNULL(1);

#endif
