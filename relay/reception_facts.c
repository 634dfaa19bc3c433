/* The other half of reception.h: macros for milters, and the Received field. */

#include <stdio.h>

#include "config.h"
#include "relay/mail_date.h"
#include "relay/reception.h"

void reception_tls(struct reception *rc, const char *version, const char *cipher, int bits)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d", bits);

    rc->tls_version = arena_copy(&rc->session, slice_str(version));
    rc->tls_cipher = arena_copy(&rc->session, slice_str(cipher));
    rc->tls_bits = arena_copy(&rc->session, (struct slice){text, (size_t)len});
    rc->helo = rc->login = rc->auth_type = SLICE_NONE;
    rc->is_extended = false;
}

static void put(struct reception *rc, size_t *count, const char *name, struct slice value)
{
    if (value.ptr == NULL)
        return;
    TG_ASSERT(*count < RECEPTION_MACROS_MAX);
    rc->macro_list[(*count)++] = (struct milter_macro){name, value};
}

static void put_session(struct reception *rc, size_t *n)
{
    (void)snprintf(rc->port_text, sizeof rc->port_text, "%u", (unsigned)rc->client_port);
    (void)snprintf(rc->peer_text, sizeof rc->peer_text, "%.*s [%s]", SLICE_FMT(rc->client_name),
                   rc->client_ip);
    put(rc, n, "j", slice_str(rc->relay->hostname));
    put(rc, n, "daemon_name", slice_str(rc->relay->hostname));
    put(rc, n, "v", SLICE("tollgate-relay " PACKAGE_VERSION));
    put(rc, n, "_", slice_str(rc->peer_text));
    put(rc, n, "client_addr", slice_str(rc->client_ip));
    put(rc, n, "client_name", rc->client_name);
    put(rc, n, "client_port", slice_str(rc->port_text));
    put(rc, n, "client_ptr", rc->client_name);
    put(rc, n, "tls_version", rc->tls_version);
    put(rc, n, "cipher", rc->tls_cipher);
    put(rc, n, "cipher_bits", rc->tls_bits);
    put(rc, n, "auth_type", rc->auth_type);
    put(rc, n, "auth_authen", rc->login);
}

struct milter_macros reception_macros(struct reception *rc)
{
    size_t n = 0;

    put_session(rc, &n);
    put(rc, &n, "mail_addr", rc->mail.addr);
    put(rc, &n, "mail_host", rc->mail.host);
    put(rc, &n, "mail_mailer", rc->mail.mailer);
    put(rc, &n, "rcpt_addr", rc->rcpt.addr);
    put(rc, &n, "rcpt_host", rc->rcpt.host);
    put(rc, &n, "rcpt_mailer", rc->rcpt.mailer);
    put(rc, &n, "i", rc->has_recipient ? slice_str(rc->id) : SLICE_NONE);
    return (struct milter_macros){rc->macro_list, n};
}

/* The client's EHLO name, made safe for a header: no parenthesis, no blank, ASCII only. */
static void add_safe(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '.' || c == '-' || c == ':' || c == '_' || c == '[' || c == ']';

        buf_add_char(out, good ? c : '?');
    }
}

/* RFC 3848, RFC 6531 4.3. */
static void add_protocol(const struct reception *rc, struct buf *out)
{
    if (!rc->is_extended) {
        buf_add_str(out, "SMTP");
        return;
    }
    buf_add_str(out, rc->envelope.smtputf8 ? "UTF8SMTP" : "ESMTP");
    buf_add_str(out, rc->tls_version.ptr != NULL ? "S" : "");
    buf_add_str(out, rc->login.ptr != NULL ? "A" : "");
}

void reception_received(const struct reception *rc, int64_t now_ms, struct buf *out)
{
    buf_add_str(out, "Received: from ");
    add_safe(out, rc->helo);
    buf_addf(out, " (%.*s [%s])\r\n\tby %s (tollgate-relay) with ", SLICE_FMT(rc->client_name),
             rc->client_ip, rc->relay->hostname);
    add_protocol(rc, out);
    buf_addf(out, " id %s", rc->id);
    if (rc->envelope.recipient_count == 1 && rc->envelope.recipients[0].address.len < 200)
        buf_addf(out, "\r\n\tfor <%.*s>", SLICE_FMT(rc->envelope.recipients[0].address));
    buf_add_str(out, ";\r\n\t");
    mail_date_add(out, now_ms);
    buf_add_str(out, "\r\n");
}
