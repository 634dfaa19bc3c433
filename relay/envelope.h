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
 * Everything about a queued message except its text: the sender, the recipients and the outcome for
 * each of them; and the format of a queue file. Pure.
 *
 * A queue file is a head (lines `key value`, ended by an empty line), the message as it is sent
 * (CRLF, dots not doubled), and a journal, which is only appended to:
 *
 *     D <recipient> <time> <reply>         delivered
 *     F <recipient> <time> <reply>         failed permanently; a bounce is due
 *     B <recipient> <time> <what>          failed, and the bounce is queued (or not wanted)
 *     T <recipient> <time> <reply>         deferred
 *     R <next try> <tries>                 time of the next attempt
 *
 * A last line without its LF is torn and ignored. Zero bytes behind the journal are reserved room.
 *
 * Units: times in ms of Unix time.  Owner: the arena given.
 */

enum recipient_state { RECIPIENT_PENDING, RECIPIENT_DONE, RECIPIENT_FAILED, RECIPIENT_BOUNCED };

struct recipient {
    struct slice address;  /* local@domain as the client wrote it, without brackets or route */
    struct slice original; /* the forwarder that it replaces; empty: none */
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

/* Copies the texts; a recipient that exists is not added again. -1: out of memory. */
int envelope_add_recipient(struct envelope *e, struct arena *arena, struct slice address,
                           struct slice original) TG_NONNULL(1);
/* True if there was such a recipient. */
bool envelope_delete_recipient(struct envelope *e, struct slice address) TG_NONNULL(1);
size_t envelope_count(const struct envelope *e, enum recipient_state state) TG_NONNULL(1);

/* The head of a queue file. */
void envelope_format(const struct envelope *e, struct buf *out) TG_NONNULL(1);
/* Parses a complete head; *rest is what follows it. -1: damaged (EX_DATAERR). */
int envelope_parse(struct slice file, struct arena *arena, struct envelope *out, struct slice *rest,
                   struct err *err) TG_MUST_USE;
/* Applies the lines of the journal, up to the first that is torn or malformed. */
void envelope_replay(struct envelope *e, struct arena *arena, struct slice journal) TG_NONNULL(1);

/* Lines of the journal. Control bytes of a reply become blanks. */
void envelope_journal_recipient(struct buf *out, char kind, size_t recipient, int64_t now_ms,
                                struct slice text) TG_NONNULL(1);
void envelope_journal_retry(struct buf *out, int64_t next_ms, unsigned tries) TG_NONNULL(1);

#endif
