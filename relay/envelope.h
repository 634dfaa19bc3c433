#ifndef TG_RELAY_ENVELOPE_H
#define TG_RELAY_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Everything about a queued message but its text: who sent it, to whom, and what has become of each
 * recipient; and how a queue file holds it. Pure.
 *
 * A queue file is a head (lines `key value`, ended by an empty line), the message as it goes out
 * (CRLF, not stuffed), and a journal of lines that is only ever appended to:
 *
 *     D <recipient> <time> <reply>         delivered
 *     F <recipient> <time> <reply>         failed for good; a bounce is owed
 *     B <recipient> <time> <what>          failed, and the sender has been told (or is not to be)
 *     T <recipient> <time> <reply>         not yet
 *     R <next try> <tries>                 when to try again
 *
 * A line without its LF at the end is torn and does not count.
 *
 * Units: times in ms of Unix time.  Owner: the arena given.
 */

enum recipient_state { RECIPIENT_PENDING, RECIPIENT_DONE, RECIPIENT_FAILED, RECIPIENT_BOUNCED };

struct recipient {
    struct slice address;  /* local@domain as the client wrote it, without brackets or route */
    struct slice original; /* the forwarder that it came from; empty: none */
    enum recipient_state state;
    struct slice text; /* the last reply */
};

struct envelope {
    struct slice id;
    int64_t created_ms;
    struct slice sender;        /* as recipient.address; empty: the null sender */
    struct slice client, login; /* for the log */
    bool smtputf8, eightbit;
    struct recipient *recipients;
    size_t recipient_count, recipient_room;
    uint64_t text_bytes;
    int64_t next_ms; /* 0: at once */
    unsigned tries;
};

/* The path within brackets, without a source route: `<@a,@b:c@d>` gives `c@d`. */
struct slice envelope_path_plain(struct slice path);

/* Copies; a recipient that is there already is not added again. -1: out of memory. */
int envelope_add_recipient(struct envelope *e, struct arena *arena, struct slice address,
                           struct slice original) TG_NONNULL(1);
/* True if there was one. */
bool envelope_delete_recipient(struct envelope *e, struct slice address) TG_NONNULL(1);
size_t envelope_count(const struct envelope *e, enum recipient_state state) TG_NONNULL(1);

/* The head of a queue file. */
void envelope_format(const struct envelope *e, struct buf *out) TG_NONNULL(1);
/* From a queue file's head, all of it: *rest is what follows. -1: damaged (EX_DATAERR). */
int envelope_parse(struct slice file, struct arena *arena, struct envelope *out, struct slice *rest,
                   struct err *err) TG_MUST_USE;
/* Takes the lines of the journal into account, up to the first that is torn or makes no sense. */
void envelope_replay(struct envelope *e, struct arena *arena, struct slice journal) TG_NONNULL(1);

/* Lines of the journal. Control bytes of a reply become blanks. */
void envelope_journal_recipient(struct buf *out, char kind, size_t recipient, int64_t now_ms,
                                struct slice text) TG_NONNULL(1);
void envelope_journal_retry(struct buf *out, int64_t next_ms, unsigned tries) TG_NONNULL(1);

#endif
