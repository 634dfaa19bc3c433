#include "relay/bounce.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "relay/mail_date.h"
#include "relay/queue_draft.h"
#include "relay/quoted_printable.h"

#define ORIGINAL_MAX_BYTES ((size_t)64 << 10)
#define BOUNCE_MAX_BYTES   ((size_t)16 << 20)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* class "." subject "." detail (RFC 3463 2): of a class that a reply may have, the others of one to
 * three digits. */
static bool is_status(struct slice word)
{
    struct slice class, number;

    (void)slice_cut(&word, '.', &class);
    if (class.len != 1 || strchr("245", class.ptr[0]) == NULL)
        return false;
    for (int i = 0; i < 2; i++) {
        if (word.ptr == NULL || !slice_cut(&word, '.', &number) || number.len < 1 || number.len > 3)
            return false;
        for (size_t j = 0; j < number.len; j++) {
            if (!is_digit(number.ptr[j]))
                return false;
        }
    }
    return word.ptr == NULL;
}

static bool has_code(struct slice text)
{
    return text.len > 4 && is_digit(text.ptr[0]) && is_digit(text.ptr[1]);
}

/* "550 5.1.1 text" gives 5.1.1, and so does "5.1.1 text". */
static struct slice status_of(struct slice text)
{
    struct slice word;

    if (has_code(text))
        text = slice_from(text, 4);
    return slice_word(&text, " ", &word) && is_status(word) ? word : SLICE("5.0.0");
}

/* An expired recipient's last reply was one of 4.x.x, but it has failed for good now. */
static void add_status(struct buf *out, struct slice text)
{
    struct slice status = status_of(text);

    buf_add_str(out, "Status: ");
    buf_add_char(out, '5');
    buf_add(out, slice_from(status, 1));
    buf_add_str(out, "\r\n");
}

/* Fields of a delivery status are ASCII, unless the message is internationalised (RFC 6533). */
static void add_field(struct buf *out, const char *name, struct slice value, bool utf8)
{
    buf_addf(out, "%s; ", name);
    for (size_t i = 0; i < value.len; i++)
        buf_add_char(out, utf8 || (unsigned char)value.ptr[i] < 0x80 ? value.ptr[i] : '?');
    buf_add_str(out, "\r\n");
}

static void add_recipient(struct buf *out, const struct recipient *r, bool utf8)
{
    buf_add_str(out, "\r\n");
    add_field(out, utf8 ? "Final-Recipient: utf-8" : "Final-Recipient: rfc822", r->address, utf8);
    if (r->original.len > 0)
        add_field(out, utf8 ? "Original-Recipient: utf-8" : "Original-Recipient: rfc822",
                  r->original, utf8);
    buf_add_str(out, "Action: failed\r\n");
    add_status(out, r->text);
    add_field(out,
              has_code(r->text) ? "Diagnostic-Code: smtp" : "Diagnostic-Code: x-tollgate-relay",
              r->text, utf8);
}

static void add_header(struct buf *out, const struct queue_file *f, const char *hostname,
                       const char *id, int64_t now_ms)
{
    buf_addf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <%.*s>\r\n", hostname,
             SLICE_FMT(f->envelope.sender));
    buf_add_str(out, "Subject: Undelivered Mail Returned to Sender\r\nDate: ");
    mail_date_add(out, now_ms);
    buf_addf(out, "\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-replied\r\n", id, hostname);
    buf_addf(out,
             "MIME-Version: 1.0\r\nContent-Type: multipart/report; "
             "report-type=delivery-status;\r\n\tboundary=\"=_%s\"\r\n",
             id);
    if (f->envelope.smtputf8)
        buf_add_str(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_add_str(out, "\r\n");
}

/* A part in 7 bits, encoded where it has to be: a bounce then is valid for every server. (`=_` in
 * the boundary comes in no encoded text.) */
static void add_part(struct buf *out, const char *id, const char *type, struct slice text)
{
    bool is_coded = quoted_printable_is_needed(text);

    buf_addf(out, "--=_%s\r\nContent-Type: %s\r\n", id, type);
    if (is_coded)
        buf_add_str(out, "Content-Transfer-Encoding: quoted-printable\r\n");
    buf_add_str(out, "\r\n");
    if (is_coded)
        quoted_printable_add(out, text);
    else
        buf_add(out, text);
    buf_add_str(out, "\r\n");
}

static void add_notification(struct buf *out, const struct queue_file *f, const char *hostname)
{
    buf_addf(out,
             "This is the mail system at %s.\r\n\r\n"
             "Your message could not be delivered to the following recipients:\r\n\r\n",
             hostname);
    for (size_t i = 0; i < f->envelope.recipient_count; i++) {
        const struct recipient *r = &f->envelope.recipients[i];

        if (r->state == RECIPIENT_FAILED)
            buf_addf(out, "<%.*s>: %.*s\r\n", SLICE_FMT(r->address), SLICE_FMT(r->text));
    }
}

/* Never encoded: a delivery status is to be read by programs (RFC 3464 2). */
static void add_report(struct buf *out, const struct queue_file *f, const char *hostname,
                       const char *id)
{
    bool utf8 = f->envelope.smtputf8;

    buf_addf(out, "--=_%s\r\nContent-Type: message/%s\r\n", id,
             utf8 ? "global-delivery-status\r\nContent-Transfer-Encoding: 8bit"
                  : "delivery-status");
    buf_addf(out, "\r\nReporting-MTA: dns; %s\r\nX-Queue-ID: %.*s\r\nArrival-Date: ", hostname,
             SLICE_FMT(f->envelope.id));
    mail_date_add(out, f->envelope.created_ms);
    buf_add_str(out, "\r\n");
    for (size_t i = 0; i < f->envelope.recipient_count; i++) {
        if (f->envelope.recipients[i].state == RECIPIENT_FAILED)
            add_recipient(out, &f->envelope.recipients[i], utf8);
    }
    buf_add_str(out, "\r\n");
}

void bounce_format(const struct queue_file *f, const char *hostname, const char *id, int64_t now_ms,
                   struct slice original, struct buf *out)
{
    struct buf notification;

    buf_init(&notification, BOUNCE_MAX_BYTES);
    add_notification(&notification, f, hostname);
    add_header(out, f, hostname, id, now_ms);
    add_part(out, id, "text/plain; charset=utf-8", buf_slice(&notification));
    out->failed = out->failed || notification.failed;
    buf_fini(&notification);
    add_report(out, f, hostname, id);
    add_part(out, id, f->envelope.smtputf8 ? "message/global-headers" : "text/rfc822-headers",
             original);
    buf_addf(out, "--=_%s--\r\n", id);
}

/* Lines up to and without the empty one; what is beyond the limit is left out by whole lines. */
static void read_header(const struct queue_file *f, struct buf *out)
{
    char *block = malloc(ORIGINAL_MAX_BYTES);
    ssize_t n = block == NULL ? 0 : queue_read(f, 0, block, ORIGINAL_MAX_BYTES);
    struct slice text = {block, n > 0 ? (size_t)n : 0}, line;

    while (slice_cut(&text, '\n', &line) && text.ptr != NULL && line.len > 1) {
        buf_add(out, line);
        buf_add_char(out, '\n');
    }
    free(block);
}

static int put(struct relay *relay, const struct queue_file *f, char id[QUEUE_ID_BYTES],
               struct slice text, struct err *err)
{
    struct envelope e = {.id = slice_str(id), .created_ms = clock_unix_ms()};
    struct queue_draft draft = QUEUE_DRAFT_NONE;
    struct message m;
    struct arena arena;
    struct buf tmp;
    int result;

    arena_init(&arena, 65536);
    buf_init(&tmp, 1024);
    message_init(&m, queue_tmp(&relay->queue, &tmp));
    e.smtputf8 = f->envelope.smtputf8;
    e.eightbit = e.smtputf8;
    result = envelope_add_recipient(&e, &arena, f->envelope.sender, SLICE_NONE);
    message_add(&m, text);
    message_end(&m);
    if (result != 0 || m.fault != NULL)
        result = err_set(err, EX_OSERR, "cannot make a bounce: out of memory");
    else
        result = queue_draft_write(&relay->queue, &draft, &e, SLICE_NONE, &m, err);
    if (result == 0)
        result = queue_draft_commit(&relay->queue, &draft, false, err);
    if (result == 0)
        memcpy(id, draft.id, sizeof draft.id);
    message_fini(&m);
    buf_fini(&tmp);
    arena_fini(&arena);
    return result;
}

int bounce_send(struct relay *relay, const struct queue_file *f, char id[QUEUE_ID_BYTES],
                struct err *err)
{
    struct buf text, original;
    int result;

    queue_new_id(&relay->queue, id);
    buf_init(&text, BOUNCE_MAX_BYTES);
    buf_init(&original, ORIGINAL_MAX_BYTES + 1);
    read_header(f, &original);
    bounce_format(f, relay->hostname, id, clock_unix_ms(), buf_slice(&original), &text);
    result = text.failed ? err_set(err, EX_OSERR, "cannot make a bounce: out of memory")
                         : put(relay, f, id, buf_slice(&text), err);
    buf_fini(&text);
    buf_fini(&original);
    return result;
}
