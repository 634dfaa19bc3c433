#include "web/problem.h"

#include <jansson.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/json.h"
#include "lib/sys/log.h"
#include "web/page.h"
#include "web/page_report.h"

static const struct status {
    int number, code;
    const char *title;
} statuses[] = {
    {400, EX_USAGE, "Bad request"},
    {401, EX_NOPERM, "Sign-in needed"},
    {403, -1, "Refused"},
    {404, EX_NOUSER, "Not found"},
    {405, -1, "Method not allowed"},
    {409, -1, "Changed meanwhile"},
    {412, -1, "Changed meanwhile"},
    {413, -1, "Too large"},
    {415, -1, "Unknown type of form"},
    {429, -1, "Too many failed sign-ins"},
    {503, EX_UNAVAILABLE, "Not available now"},
    {500, -1, "Internal error"}, /* the last: of all others */
};

static const struct status *of_code(int code)
{
    const struct status *s = statuses;

    while (s->number != 500 && s->code != code)
        s++;
    return s;
}

static const struct status *of_number(int number)
{
    const struct status *s = statuses;

    while (s->number != 500 && s->number != number)
        s++;
    return s;
}

/* What of a fault of this machine others may read. */
static const char *text_of(const struct status *s, const struct err *err)
{
    if (s->number == 503)
        return "The figures cannot be read now: their store is away. Try again in a moment.";
    if (s->number == 500)
        return "The server could not make this page. Its log says why.";
    return err->text;
}

static void write_json(struct exchange *x, const struct status *s, const char *text)
{
    json_t *json = json_object();
    char *line;

    (void)json_object_set_new(json, "type", json_string("about:blank"));
    (void)json_object_set_new(json, "title", json_string(s->title));
    (void)json_object_set_new(json, "status", json_integer(s->number));
    (void)json_object_set_new(json, "detail", json_text(slice_str(text)));
    line = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
    buf_add_str(&x->response.body, line != NULL ? line : "{}");
    buf_add_char(&x->response.body, '\n');
    free(line);
    json_decref(json);
}

static void write_page(struct exchange *x, const struct status *s, const char *text)
{
    struct html h;

    page_begin(x, &h, s->title);
    html_element_class(&h, "p", "alert", slice_str(text));
    page_end(x, &h);
}

static void answer(struct exchange *x, const struct status *s, const struct err *err)
{
    bool is_data = page_report_is_data(x) || (x->request.segment_count > 0 &&
                                              slice_equal(x->request.segments[0], SLICE("api")));

    if (s->number >= 500)
        log_event(s->number == 503 ? LOG_WARNING : LOG_ERR, "request failed",
                  LOG_TEXT("path", slice_to(x->request.path, 200)), LOG_ERROR("error", err));
    exchange_store_give(x, err->code != EX_UNAVAILABLE);
    http_response_reset(&x->response, s->number, is_data ? HTTP_TYPE_PROBLEM : HTTP_TYPE_HTML);
    if (s->number == 401)
        x->response.authenticate = "Bearer";
    if (s->number == 503)
        x->response.retry_after_s = 5;
    if (is_data)
        write_json(x, s, text_of(s, err));
    else
        write_page(x, s, text_of(s, err));
}

void problem_answer(struct exchange *x, const struct err *err)
{
    answer(x, of_code(err->code == EX_TEMPFAIL ? EX_UNAVAILABLE : err->code), err);
}

void problem_answer_as(struct exchange *x, int status, const struct err *err)
{
    answer(x, of_number(status), err);
}
