#include "web/api.h"

#include <sysexits.h>

#include "web/page_log_list.h"
#include "web/page_report.h"
#include "web/scope.h"

int api_report(struct exchange *x, struct err *err)
{
    const struct report_kind *kind = report_find(x->request.segments[3]);
    const struct list_kind *list = read_list_find(x->request.segments[3]);

    if (list != NULL)
        return page_log_list(x, list, PAGE_REPORT_JSON, err);
    return kind != NULL ? page_report_data(x, kind, PAGE_REPORT_JSON, err) : scope_nothing(err);
}

static int say(struct exchange *x, const char *text)
{
    http_response_reset(&x->response, 200, HTTP_TYPE_TEXT);
    buf_add_str(&x->response.body, text);
    return 0;
}

int api_health(struct exchange *x, struct err *err)
{
    (void)err;
    return say(x, "ok\n");
}

int api_ready(struct exchange *x, struct err *err)
{
    if (exchange_store(x, err) == 0)
        return say(x, "ready\n");
    err->code = EX_UNAVAILABLE; /* also with another schema */
    return -1;
}
