#include "web/theme.h"

#include <stdio.h>
#include <sysexits.h>

#include "web/page.h"

#define COOKIE   "tg-theme"
#define A_YEAR_S 31536000

static const char *const names[] = {"auto", "light", "dark"};

#define COUNT (sizeof names / sizeof names[0])

/* COUNT: none of them. */
static size_t find(struct slice name)
{
    size_t i = 0;

    while (i < COUNT && !slice_equal(name, slice_str(names[i])))
        i++;
    return i;
}

enum theme theme_of(const struct exchange *x)
{
    size_t i = find(http_request_cookie(&x->request, COOKIE));

    return i < COUNT ? (enum theme)i : THEME_AUTO;
}

void theme_attr(const struct exchange *x, struct html *h)
{
    enum theme theme = theme_of(x);

    if (theme != THEME_AUTO)
        html_attr(h, "data-theme", slice_str(names[theme]));
}

/* --- forms ----------------------------------------------------------------------------------- */

/* Leads back to the page that has it; what is no page does not come back in its own answer. */
static void open_form(struct exchange *x, struct html *h, const char *class_name)
{
    page_form_open(x, h, "/theme", class_name);
    if (x->request.method != HTTP_POST && x->response.status == 200)
        page_hidden(h, "to", x->request.target);
}

static void open_button(struct html *h, enum theme theme)
{
    html_open(h, "button");
    html_attr(h, "type", SLICE("submit"));
    html_attr(h, "name", SLICE("theme"));
    html_attr(h, "value", slice_str(names[theme]));
}

/* A circle, half of it filled. */
static void add_icon(struct html *h)
{
    html_open(h, "svg");
    html_attr(h, "viewBox", SLICE("0 0 16 16"));
    html_attr(h, "aria-hidden", SLICE("true"));
    html_open(h, "circle");
    html_attr(h, "cx", SLICE("8"));
    html_attr(h, "cy", SLICE("8"));
    html_attr(h, "r", SLICE("6.2"));
    html_attr(h, "fill", SLICE("none"));
    html_attr(h, "stroke", SLICE("currentColor"));
    html_attr(h, "stroke-width", SLICE("1.6"));
    html_close(h, "circle");
    html_open(h, "path");
    html_attr(h, "d", SLICE("M8 1.8a6.2 6.2 0 0 1 0 12.4z"));
    html_attr(h, "fill", SLICE("currentColor"));
    html_close(h, "path");
    html_close(h, "svg");
}

void theme_button(struct exchange *x, struct html *h)
{
    enum theme now = theme_of(x), next = now == THEME_DARK ? THEME_AUTO : (enum theme)(now + 1);
    char text[64];

    (void)snprintf(text, sizeof text, "Theme: %s. Change to %s", names[now], names[next]);
    open_form(x, h, "theme");
    open_button(h, next);
    html_attr(h, "title", slice_str(text));
    add_icon(h);
    html_element_class(h, "span", "hidden", slice_str(text));
    html_close(h, "button");
    html_close(h, "form");
}

void theme_choice(struct exchange *x, struct html *h)
{
    static const char *const texts[] = {"As the system", "Light", "Dark"};
    enum theme now = theme_of(x);

    open_form(x, h, "choice");
    for (size_t i = 0; i < COUNT; i++) {
        open_button(h, (enum theme)i);
        html_attr(h, "aria-pressed", i == now ? SLICE("true") : SLICE("false"));
        html_text(h, slice_str(texts[i]));
        html_close(h, "button");
    }
    html_close(h, "form");
    html_newline(h);
}

/* --- what comes of it ------------------------------------------------------------------------ */

int theme_answer(struct exchange *x, struct err *err)
{
    static const char *const fields[] = {"theme", "to", "token", NULL};
    struct http_response *r = &x->response;
    size_t i = find(http_query_get(&x->form, "theme"));

    if (http_query_allow(&x->form, fields, err) != 0)
        return -1;
    if (i == COUNT)
        return err_set(err, EX_USAGE, "theme: use auto, light or dark");
    http_response_redirect(r, page_local_path(http_query_get(&x->form, "to")));
    (void)snprintf(r->cookie, sizeof r->cookie,
                   COOKIE "=%s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%d%s", names[i],
                   i == THEME_AUTO ? 0 : A_YEAR_S, exchange_is_secure(x) ? "; Secure" : "");
    return 0;
}
