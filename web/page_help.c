#include "web/page_help.h"

#include <stdio.h>

#include "lib/core/render_html.h"
#include "web/page.h"
#include "web/scope.h"

int page_help(struct exchange *x, struct err *err)
{
    static const char *const no_parameters[] = {NULL};
    const struct report_kind *kind = report_find(x->request.segments[1]);
    char url[128];
    struct html h;

    if (kind == NULL)
        return scope_nothing(err);
    if (http_query_allow(&x->query, no_parameters, err) != 0)
        return -1;
    page_begin(x, &h, kind->title);
    html_element(&h, "p", slice_str(kind->help));
    render_html_definitions(kind, &h);
    (void)snprintf(url, sizeof url, "/r/%s", kind->name);
    html_open(&h, "p");
    page_link(&h, slice_str(url), SLICE("The report"));
    html_close(&h, "p");
    page_end(x, &h);
    return 0;
}
