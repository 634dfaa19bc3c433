#include "collect/sendmail_out.h"

#include "collect/mail.h"
#include "collect/mail_text.h"
#include "collect/refusal.h"
#include "collect/smtp_out_group.h"

static bool has_any(struct slice text, const struct slice *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (mail_text_has(text, words[i]))
            return true;
    }
    return false;
}

#define HAS_ANY(text, words) has_any((text), (words), sizeof(words) / sizeof(words)[0])

/* "00:00:03", "1+02:00:00" (days before): milliseconds. */
static uint64_t ms_of(struct slice text)
{
    ptrdiff_t plus = slice_find(text, '+');
    struct slice rest = plus < 0 ? text : slice_from(text, (size_t)plus + 1), part;
    uint64_t days = 0, n, seconds = 0;

    if (plus >= 0 && !slice_number(slice_to(text, (size_t)plus), &days))
        return 0;
    while (slice_cut(&rest, ':', &part)) {
        if (!slice_number(part, &n) || n > 99)
            return 0;
        seconds = seconds * 60 + n;
    }
    return (days % 1000 * 86400 + seconds) * 1000;
}

static bool is_smtp(struct slice mailer)
{
    return mail_text_has(mailer, SLICE("smtp")) || slice_equal(mailer, SLICE("relay"));
}

static bool is_internal(const struct machine *m, struct slice relay)
{
    struct slice address = mail_text_address(relay), host = relay;
    ptrdiff_t blank = slice_find(relay, ' ');

    if (blank >= 0)
        host = slice_to(relay, (size_t)blank);
    host.len -= host.len > 0 && host.ptr[host.len - 1] == '.';
    return mail_text_is_loopback(address) || machine_list_has(&m->rules->internal_relays, host) ||
           (address.len > 0 && machine_list_has(&m->rules->internal_relays, address));
}

static bool is_final(const struct sendmail_out *out)
{
    return out->dsn.len > 0 && out->dsn.ptr[0] == '5';
}

/* One delivery: reached or not, and what the other server said. */
static void count(struct smtp_out_group *g, const struct log_line *line,
                  const struct sendmail_out *out)
{
    static const struct slice away[] = {{"Connection refused", 18}, {"Connection timed out", 20},
                                        {"No route to host", 16},   {"Network is unreachable", 22},
                                        {"Host unknown", 12},       {"Name server", 11}};
    static const struct slice lost[] = {
        {"Connection reset", 16}, {"Broken pipe", 11}, {"lost connection", 15}, {"timeout", 7}};

    if (HAS_ANY(out->stat, away)) {
        smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_FAILED, 1);
        return;
    }
    smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_CONNECTIONS, 1);
    if (mail_text_starts(out->stat, SLICE("Sent")))
        g->has_sent = true;
    else if (HAS_ANY(out->stat, lost))
        smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_TERMINATIONS, 1);
    else if (is_final(out) && mail_text_starts(out->dsn, SLICE("5.5.")))
        smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_BAD_COMMANDS, 1);
    else if (is_final(out))
        smtp_out_group_add(g, line->time_ms, COUNTER_SMTP_OUT_REJECTED, 1);
}

static struct slice unbracket(struct slice s)
{
    if (s.len >= 2 && s.ptr[0] == '<' && s.ptr[s.len - 1] == '>')
        return (struct slice){s.ptr + 1, s.len - 2};
    return s;
}

/* A policy's words, or a list's name. */
static void note_refusal(struct smtp_out_group *g, const struct log_line *line,
                         const struct sendmail_out *out)
{
    struct slice rest = out->to, first = SLICE_NONE, host = SLICE_NONE;
    ptrdiff_t at;

    if (mail_text_starts(out->stat, SLICE("Sent")) || !refusal_is_policy(out->dsn, out->stat))
        return;
    TG_IGNORE(slice_cut(&rest, ',', &first)); /* none: no provider */
    first = unbracket(first);
    at = slice_find_last(first, '@');
    rest = out->relay;
    TG_IGNORE(slice_word(&rest, " ", &host)); /* none: an empty one */
    host.len -= host.len > 0 && host.ptr[host.len - 1] == '.';
    smtp_out_group_refuse(g,
                          &(struct smtp_out_refusal){
                              .time_ms = line->time_ms,
                              .provider = at < 0 ? SLICE_NONE : slice_from(first, (size_t)at + 1),
                              .relay = host,
                              .text = out->stat});
}

static void tell(struct machine *m, const struct log_line *line, struct open_entry *mail,
                 const struct sendmail_out *out)
{
    struct slice rest = out->to, one;

    while (slice_cut(&rest, ',', &one))
        mail_tell(m, mail, line,
                  (struct mail_event){.kind = MAIL_DELIVERY,
                                      .recipient = unbracket(one),
                                      .relay = out->relay,
                                      .dsn = out->dsn,
                                      .status = out->mailer,
                                      .text = out->stat});
}

void sendmail_out(struct machine *m, const struct log_line *line, struct open_entry *mail,
                  const struct sendmail_out *out)
{
    struct mail *message = mail->thing;
    struct smtp_out_group *g;
    struct payer payer;

    tell(m, line, mail, out);
    if (!is_smtp(out->mailer) || is_internal(m, out->relay))
        return;
    g = smtp_out_group_new();
    if (g == NULL)
        return;
    g->last_ms = line->time_ms;
    g->sending_ms = ms_of(out->xdelay);
    count(g, line, out);
    note_refusal(g, line, out);
    TG_IGNORE(mail_owner(m, message, &payer)); /* the best guess: a later line does not tell more */
    smtp_out_group_charge(m, g, &payer, message->size);
    smtp_out_group_release(g);
}
