#ifndef TG_COLLECT_NOTES_H
#define TG_COLLECT_NOTES_H

#include <stdint.h>

#include "collect/log_line.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"

/*
 * What the logs cannot tell, found in what they say: each note is a line `MARK COUNTER text` of the
 * field `notes` of tg:{@mx1}:collect, and the reports show it with the figure.
 *
 * The signs are bits, kept in collect.db. Pure.
 */

enum notes_sign {
    NOTES_POP = 1 << 0,          /* POP sessions */
    NOTES_POP_NO_BYTES = 1 << 1, /* without in= and out= */
    NOTES_IMAP = 1 << 2,
    NOTES_HIBERNATED = 1 << 3, /* IMAP sessions that were */
    NOTES_EVENTS = 1 << 4,     /* Dovecot's refused commands, one by one */
    NOTES_CLAMD = 1 << 5,
    NOTES_CLAMD_CLEAN = 1 << 6, /* its clean scans, too */
    NOTES_SENDMAIL = 1 << 7,
    NOTES_NO_QUEUE = 1 << 8,        /* the server's status without the queue, as of now */
    NOTES_CLAMD_ASKED = 1 << 9,     /* clamd tells how long it scans (collect/clamd.h) */
    NOTES_NO_HANDLES = 1 << 10,     /* without open files, as of now */
    NOTES_LACKED_HANDLES = 1 << 11, /* and some time */
    NOTES_LACKED_QUEUE = 1 << 12,   /* some time */
    NOTES_OF_NOW = NOTES_NO_HANDLES | NOTES_NO_QUEUE /* signs that may go again */
};

/* Adds the signs of a line to *signs. */
void notes_line(uint64_t *signs, const struct log_line *line) TG_NONNULL(1, 2);
/* The notes that follow from them, added to *out. */
void notes_text(uint64_t signs, struct buf *out) TG_NONNULL(2);

#endif
