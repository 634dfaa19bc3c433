/* What the logs lack, from what they say; and each note names a counter. */
#include "t/tap.h"

#include <stdio.h>
#include <string.h>

#include "collect/notes.h"
#include "lib/core/counters.h"

static const struct {
    enum daemon daemon;
    const char *text;
    const char *note; /* that follows; NULL: none */
} cases[] = {
    {DAEMON_DOVECOT,
     "pop3(a@b.c)<7><s>: Disconnected: Logged out top=0/0, retr=1/9, del=0/1, size=9",
     ">= pop_bytes "},
    {DAEMON_DOVECOT, "pop3(a@b.c)<7><s>: Disconnected: Logged out top=0/0, retr=1/9, in=7 out=90",
     ">= pop_bad_commands "},
    {DAEMON_DOVECOT, "imap(a@b.c)<7><s>: Disconnected: Logged out in=1 out=2",
     ">= imap_bad_commands "},
    {DAEMON_DOVECOT, "imap-hibernate(a@b.c)<7><s>: Disconnected: Connection closed in=1 out=2",
     ">= imap_bytes "},
    {DAEMON_CLAMD, "instream(local): Eicar-Test-Signature FOUND", ">= clamd_connections "},
    {DAEMON_CLAMD, "instream(local): OK", "? clamd_connection_seconds "},
    {DAEMON_SENDMAIL, "3: to=<a@b.c>, stat=Sent", "<= smtp_out_connections "},
    {DAEMON_SMTPD, "connect from unknown[192.0.2.1]", NULL},
    {DAEMON_DOVECOT, "imap-login: Login: user=<a@b.c>", NULL},
};

static struct slice told(uint64_t signs, struct buf *out)
{
    buf_reset(out);
    notes_text(signs, out);
    return buf_slice(out);
}

static bool has(struct slice text, const char *word)
{
    return memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

int main(void)
{
    struct slice rest, line, mark, counter;
    struct buf out;
    uint64_t all = 0;

    buf_init(&out, 65536);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct log_line l = {.daemon = cases[i].daemon, .text = slice_str(cases[i].text)};
        uint64_t signs = 0;

        notes_line(&signs, &l);
        if (cases[i].note == NULL)
            IS_INT(told(signs, &out).len, 0, cases[i].text);
        else
            OK(has(told(signs, &out), cases[i].note), cases[i].note);
        all |= signs;
    }
    all |= NOTES_NO_QUEUE | NOTES_NO_HANDLES | NOTES_LACKED_HANDLES;
    OK(has(told(NOTES_NO_HANDLES | NOTES_LACKED_HANDLES, &out), "? status_handle_seconds ") &&
           !has(told(NOTES_NO_HANDLES | NOTES_LACKED_HANDLES, &out), ">= status_handle"),
       "open files cannot be read");
    OK(has(told(NOTES_LACKED_QUEUE, &out), ">= status_spool_seconds "), "nor the queue");
    OK(has(told(NOTES_LACKED_HANDLES, &out), ">= status_handle_seconds "),
       "open files could not be read for some time");
    OK(!has(told(NOTES_CLAMD | NOTES_CLAMD_CLEAN, &out), "clamd_connections "),
       "LogClean tells all scans");
    OK(!has(told(NOTES_CLAMD | NOTES_CLAMD_ASKED, &out), "clamd_connection_seconds "),
       "clamd that is asked tells how long it scans");
    OK(!has(told(NOTES_IMAP | NOTES_EVENTS, &out), "imap_bad"), "events tell all commands");
    rest = told(all, &out);
    while (slice_cut(&rest, '\n', &line)) {
        OK(slice_cut(&line, ' ', &mark) && slice_cut(&line, ' ', &counter) &&
               counter_find(counter) >= 0 && line.len > 0,
           "a mark, a counter, a text");
    }
    buf_fini(&out);
    return tap_done();
}
