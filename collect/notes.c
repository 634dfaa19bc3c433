#include "collect/notes.h"

#include <string.h>

static bool has(struct slice text, const char *word)
{
    return memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

static bool ends(struct slice text, const char *word)
{
    size_t len = strlen(word);

    return text.len >= len && memcmp(text.ptr + text.len - len, word, len) == 0;
}

static uint64_t dovecot_signs(struct slice text)
{
    if (slice_starts(text, SLICE("imap-hibernate(")))
        return NOTES_IMAP | NOTES_HIBERNATED;
    if (slice_starts(text, SLICE("imap(")))
        return NOTES_IMAP;
    if (slice_starts(text, SLICE("pop3(")) && has(text, "top="))
        return has(text, " in=") ? NOTES_POP : NOTES_POP | NOTES_POP_NO_BYTES;
    return has(text, "imap_command_finished") ? NOTES_EVENTS : 0;
}

static uint64_t clamd_signs(struct slice text)
{
    if (ends(text, ": OK"))
        return NOTES_CLAMD | NOTES_CLAMD_CLEAN;
    return ends(text, " FOUND") ? NOTES_CLAMD : 0;
}

void notes_line(uint64_t *signs, const struct log_line *line)
{
    if (line->daemon == DAEMON_DOVECOT)
        *signs |= dovecot_signs(line->text);
    else if (line->daemon == DAEMON_CLAMD)
        *signs |= clamd_signs(line->text);
    else if (line->daemon == DAEMON_SENDMAIL)
        *signs |= NOTES_SENDMAIL;
}

/* With all of `with` and none of `without`. */
static const struct {
    uint64_t with, without;
    const char *note;
} notes[] = {
    {NOTES_POP_NO_BYTES, 0, ">= pop_bytes the log of Dovecot lacks %i and %o"},
    {NOTES_POP, 0, ">= pop_bad_commands only those that ended a session are logged"},
    {NOTES_IMAP, NOTES_EVENTS, ">= imap_bad_commands only those that ended a session are logged"},
    {NOTES_HIBERNATED, 0, ">= imap_bytes Dovecot 2.3 does not log all of hibernated sessions"},
    {NOTES_CLAMD, NOTES_CLAMD_CLEAN, ">= clamd_connections clean scans are not logged (LogClean)"},
    {NOTES_CLAMD, NOTES_CLAMD_ASKED,
     "? clamd_connection_seconds clamd has not been asked how long it scans (collect.clamd)"},
    {NOTES_NO_HANDLES, 0, "? status_handle_seconds open files cannot be read without privileges"},
    {NOTES_LACKED_HANDLES, NOTES_NO_HANDLES,
     ">= status_handle_seconds open files could not be read all of the time"},
    {NOTES_NO_QUEUE, 0, "? status_spool_seconds postqueue cannot list the queue"},
    {NOTES_LACKED_QUEUE, NOTES_NO_QUEUE,
     ">= status_spool_seconds postqueue could not list the queue all of the time"},
    {NOTES_SENDMAIL, 0, "<= smtp_out_connections Sendmail does not log the reuse of connections"},
    {NOTES_SENDMAIL, 0, "? smtp_in_connection_seconds Sendmail does not log the end of sessions"},
};

void notes_text(uint64_t signs, struct buf *out)
{
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        if ((signs & notes[i].with) != 0 && (signs & notes[i].without) == 0)
            buf_addf(out, "%s%s", out->len > 0 ? "\n" : "", notes[i].note);
    }
}
