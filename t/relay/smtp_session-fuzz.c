/* SMTP sessions of any bytes: in any portions the same replies, and the handler is called in order.
 */
#include <string.h>

#include "lib/core/err.h"
#include "relay/smtp_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct watch {
    bool has_mail, has_rcpt, has_data;
    uint64_t text_bytes;
};

static void on_connect(void *user, struct smtp_reply *r)
{
    (void)user;
    (void)r;
}

static void on_helo(void *user, struct slice name, bool extended, struct smtp_reply *r)
{
    struct watch *w = user;

    (void)extended;
    (void)r;
    TG_ASSERT(name.len > 0 && name.len <= 255 && !w->has_mail);
}

static void settings_check_path(const struct smtp_path *path)
{
    TG_ASSERT(path->text.len > 0 && path->param_count <= SMTP_PARAMS_MAX);
    TG_ASSERT(slice_find(path->text, '\r') < 0 && slice_find(path->text, '\n') < 0 &&
              slice_find(path->text, '\0') < 0);
}

static void on_mail(void *user, const struct smtp_path *path, struct smtp_reply *r)
{
    struct watch *w = user;

    settings_check_path(path);
    TG_ASSERT(!w->has_mail);
    w->has_mail = true;
    if (path->text.len % 5 == 0)
        smtp_reply_set(r, "550 5.7.1 no");
}

static void on_rcpt(void *user, const struct smtp_path *path, struct smtp_reply *r)
{
    struct watch *w = user;

    settings_check_path(path);
    TG_ASSERT(w->has_mail);
    if (path->text.len % 5 == 0)
        smtp_reply_set(r, "450 4.2.1 not now");
    else
        w->has_rcpt = true;
}

static void on_data(void *user, struct smtp_reply *r)
{
    struct watch *w = user;

    (void)r;
    TG_ASSERT(w->has_rcpt);
    w->has_data = true;
}

static void on_text(void *user, struct slice portion)
{
    struct watch *w = user;

    TG_ASSERT(w->has_data && portion.len > 0);
    w->text_bytes += portion.len;
    TG_ASSERT(w->text_bytes <= 5000);
}

static void on_end(void *user, struct smtp_reply *r)
{
    struct watch *w = user;

    (void)r;
    TG_ASSERT(w->has_data);
}

static void on_reset(void *user)
{
    *(struct watch *)user = (struct watch){.has_mail = false};
}

static void on_auth(void *user, struct slice mechanism, struct slice login, struct slice password,
                    struct smtp_reply *r)
{
    (void)user;
    (void)r;
    TG_ASSERT(mechanism.len > 0 && login.len > 0 && password.len > 0);
}

static void on_unknown(void *user, struct slice line, struct smtp_reply *r)
{
    (void)user;
    (void)line;
    (void)r;
}

static const struct smtp_handler handler = {on_connect, on_helo, on_mail,  on_rcpt, on_data,
                                            on_text,    on_end,  on_reset, on_auth, on_unknown};

static void run(struct slice in, size_t portion, struct buf *out)
{
    struct smtp_limits limits = {
        .message_max_bytes = 5000, .recipients_max = 10, .errors_max = 20, .commands_max = 200};
    struct watch watch = {.has_mail = false};
    struct smtp_session s;

    smtp_session_init(&s, &handler, &watch, "mx.test", &limits);
    s.offers_tls = s.offers_auth = true;
    smtp_session_start(&s);
    while (in.len > 0 && !s.is_closed) {
        struct slice part = slice_to(in, portion);
        size_t before = part.len;

        smtp_session_take(&s, &part);
        TG_ASSERT(part.len == 0 || s.is_closed || s.wants_tls);
        TG_ASSERT(s.line.len <= 12290 && s.text.len == 0);
        in = slice_from(in, before - part.len);
        if (s.wants_tls)
            smtp_session_tls(&s, true);
        TG_ASSERT(!s.out.failed);
    }
    buf_add(out, buf_slice(&s.out));
    smtp_session_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = {(const char *)data, size};
    struct buf whole, portions;

    buf_init(&whole, (size_t)1 << 22);
    buf_init(&portions, (size_t)1 << 22);
    run(in, (size_t)1 << 20, &whole);
    run(in, 7, &portions);
    TG_ASSERT(slice_equal(buf_slice(&whole), buf_slice(&portions)));
    buf_fini(&whole);
    buf_fini(&portions);
    return 0;
}
