#include "web/page_sign_in.h"

#include <sysexits.h>

#include "web/attempts.h"
#include "web/page.h"
#include "web/sign_in.h"

#define URL_BYTES 8192

void page_sign_in_lead(struct exchange *x)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    buf_add_str(&url, "/signin");
    if (x->request.method != HTTP_POST && x->request.target.len < 700 &&
        !slice_equal(x->request.target, SLICE("/")))
        html_url_query(&url, "to", x->request.target);
    http_response_redirect(&x->response, url.failed ? SLICE("/signin") : buf_slice(&url));
    buf_fini(&url);
}

/* --- the form -------------------------------------------------------------------------------- */

static void add_field(struct html *h, const char *label, const char *name, const char *type,
                      const char *hint, struct slice value)
{
    html_open(h, "label");
    html_text(h, slice_str(label));
    html_open(h, "input");
    html_attr(h, "type", slice_str(type));
    html_attr(h, "name", slice_str(name));
    html_attr(h, "autocomplete", slice_str(hint));
    html_attr(h, "required", SLICE("required"));
    if (value.len > 0)
        html_attr(h, "value", value);
    html_close(h, "input");
    html_close(h, "label");
}

static void add_form(struct exchange *x, struct html *h, const char *complaint, struct slice name,
                     struct slice to)
{
    html_open(h, "form");
    html_attr(h, "class", SLICE("signin"));
    html_attr(h, "method", SLICE("post"));
    html_attr_url(h, "action", SLICE("/signin"));
    if (complaint != NULL) {
        html_open(h, "p");
        html_attr(h, "class", SLICE("alert bad"));
        html_attr(h, "role", SLICE("alert"));
        html_text(h, slice_str(complaint));
        html_close(h, "p");
    }
    page_hidden(h, "token", x->who.token);
    page_hidden(h, "to", to);
    add_field(h, "Name", "user", "text", "username", name);
    add_field(h, "Password", "password", "password", "current-password", SLICE_NONE);
    page_button(h, "main", "Sign in");
    html_close(h, "form");
}

static void show(struct exchange *x, int status, const char *complaint, struct slice name,
                 struct slice to)
{
    struct html h;

    http_response_reset(&x->response, status, HTTP_TYPE_HTML);
    page_begin(x, &h, "Sign in");
    if (exchange_is_safe(x))
        add_form(x, &h, complaint, name, to);
    else
        html_element_class(
            &h, "p", "alert bad",
            SLICE("This page came without TLS, so no password is taken here. Open it "
                  "by https. The proxy in front has to send X-Forwarded-Proto and "
                  "X-Forwarded-For, and to use the Unix socket or to be in "
                  "web.trusted."));
    page_end(x, &h);
}

/* --- what comes of it ------------------------------------------------------------------------ */

static int enter(struct exchange *x, struct err *err)
{
    struct slice name = http_query_get(&x->form, "user");
    struct slice to = page_local_path(http_query_get(&x->form, "to"));

    switch (sign_in(x, name, http_query_get(&x->form, "password"), err)) {
    case SIGN_IN_GOOD:
        http_response_redirect(&x->response, to);
        return 0;
    case SIGN_IN_BAD:
        show(x, 403, "Name or password is wrong.", name, to);
        return 0;
    case SIGN_IN_TOO_MANY:
        show(x, 429, "Too many failed sign-ins. Wait 15 minutes, then try again.", name, to);
        x->response.retry_after_s = ATTEMPTS_WINDOW_MS / 1000;
        return 0;
    case SIGN_IN_BUSY:
        show(x, 503, "Other sign-ins are being checked. Try again in a moment.", name, to);
        x->response.retry_after_s = 3;
        return 0;
    case SIGN_IN_TROUBLE:
        break;
    }
    return -1;
}

int page_sign_in(struct exchange *x, struct err *err)
{
    static const char *const fields[] = {"user", "password", "to", "token", NULL};
    static const char *const parameters[] = {"to", NULL};

    if (http_query_allow(&x->query, parameters, err) != 0 ||
        http_query_allow(&x->form, fields, err) != 0)
        return -1;
    if (x->request.method == HTTP_POST && exchange_is_safe(x))
        return enter(x, err);
    show(x, x->request.method == HTTP_POST ? 403 : 200, NULL, SLICE_NONE,
         page_local_path(http_query_get(&x->query, "to")));
    return 0;
}

int page_sign_in_out(struct exchange *x, struct err *err)
{
    if (x->who.via == VIA_SESSION && sign_in_end(x, err) != 0)
        return -1;
    http_response_redirect(&x->response, SLICE("/signin"));
    return 0;
}
