#include "web/api.h"

#include <jansson.h>
#include <sysexits.h>

#include "web/api_document.h"
#include "web/figures_data.h"
#include "web/page_log_list.h"
#include "web/page_report.h"
#include "web/scope.h"

static int take(const char *bytes, size_t len, void *context)
{
    struct buf *body = context;

    buf_add(body, (struct slice){bytes, len});
    return body->failed ? -1 : 0;
}

int api_answer(struct exchange *x, json_t *json, struct err *err)
{
    struct http_response *r = &x->response;
    int result;

    http_response_reset(r, 200, HTTP_TYPE_JSON);
    r->has_etag = true;
    result = json != NULL
                 ? json_dump_callback(json, take, &r->body, JSON_COMPACT | JSON_PRESERVE_ORDER)
                 : -1;
    buf_add_char(&r->body, '\n');
    json_decref(json);
    return result == 0 ? 0 : err_set(err, EX_OSERR, "out of memory for the answer");
}

int api_report(struct exchange *x, struct err *err)
{
    const struct report_kind *kind = report_find(x->request.segments[3]);
    const struct list_kind *list = read_list_find(x->request.segments[3]);

    if (list != NULL)
        return page_log_list(x, list, PAGE_REPORT_JSON, err);
    return kind != NULL ? page_report_data(x, kind, PAGE_REPORT_JSON, err) : scope_nothing(err);
}

int api_totals(struct exchange *x, struct err *err)
{
    struct report_grid grid;
    int result = figures_data_totals(x, &grid, err);

    if (result == 0)
        result = page_report_write(x, &grid, PAGE_REPORT_JSON, RENDER_SVG_BAR, err);
    report_grid_fini(&grid);
    return result;
}

int api_document(struct exchange *x, struct err *err)
{
    static const char *const no_parameters[] = {NULL};

    if (http_query_allow(&x->query, no_parameters, err) != 0)
        return -1;
    return api_answer(x, api_document_make(), err);
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
