#include "web/page_help.h"

#include <stdio.h>

#include "lib/core/render_html.h"
#include "lib/read/read_list.h"
#include "web/page.h"
#include "web/scope.h"

/* `kind` NULL: a list, which has no columns to define. */
static void show(struct exchange *x, const char *name, const char *title, const char *help,
                 const struct report_kind *kind)
{
    char url[128];
    struct html h;

    page_begin(x, &h, title);
    html_element(&h, "p", slice_str(help));
    if (kind != NULL)
        render_html_definitions(kind, &h);
    (void)snprintf(url, sizeof url, "/r/%s", name);
    html_open(&h, "p");
    page_link(&h, slice_str(url), SLICE("The report"));
    html_close(&h, "p");
    page_end(x, &h);
}

int page_help(struct exchange *x, struct err *err)
{
    static const char *const no_parameters[] = {NULL};
    const struct report_kind *kind = report_find(x->request.segments[1]);
    const struct list_kind *list = read_list_find(x->request.segments[1]);

    if (kind == NULL && list == NULL)
        return scope_nothing(err);
    if (http_query_allow(&x->query, no_parameters, err) != 0)
        return -1;
    if (kind != NULL)
        show(x, kind->name, kind->title, kind->help, kind);
    else
        show(x, list->name, list->title, list->help, NULL);
    return 0;
}
