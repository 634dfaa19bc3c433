#include "lib/billing/bill_http.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/program.h"
#include "lib/sys/secret.h"

#define REQUEST_BYTES ((size_t)8 << 20)
#define ERROR_BYTES   4096
#define TIMEOUT_S     60

/* curl's own exit codes. */
enum { CURL_PROXY = 5, CURL_RESOLVE = 6, CURL_CONNECT = 7, CURL_TLS = 35, CURL_CERTIFICATE = 60 };

/* A line of curl's configuration. */
static void add_option(struct buf *b, const char *name, struct slice value)
{
    buf_addf(b, "%s = \"", name);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];

        if (c == '\n')
            buf_add_str(b, "\\n");
        else if (c == '\r')
            buf_add_str(b, "\\r");
        else if (c == '"' || c == '\\')
            buf_addf(b, "\\%c", c);
        else
            buf_add_char(b, c);
    }
    buf_add_str(b, "\"\n");
}

static void add_request(const struct bill_http *h, struct buf *b)
{
    buf_addf(b,
             "silent\nshow-error\nproto = \"=http,https\"\nmax-time = %d\nconnect-timeout = 15\n"
             "max-filesize = 1000000\nrequest = \"POST\"\nwrite-out = \"\\n%%{http_code}\"\n",
             TIMEOUT_S);
    add_option(b, "url", slice_str(h->url));
    for (size_t i = 0; i < sizeof h->headers / sizeof h->headers[0]; i++) {
        if (h->headers[i].len > 0)
            add_option(b, "header", h->headers[i]);
    }
    for (size_t i = 0; i < h->field_count; i++)
        add_option(b, "data-urlencode", h->fields[i]);
    if (h->field_count == 0)
        add_option(b, "data-raw", h->body);
}

static int failed(const struct bill_http *h, int code, const struct buf *errors, struct err *err)
{
    bool never_sent = code == CURL_PROXY || code == CURL_RESOLVE || code == CURL_CONNECT ||
                      code == CURL_TLS || code == CURL_CERTIFICATE;

    return err_set(err, never_sent ? EX_NOHOST : EX_UNAVAILABLE, "%s: %.*s", h->url,
                   SLICE_FMT(slice_trim(buf_slice(errors))));
}

/* The status stands in the last line. */
static int take_status(const struct bill_http *h, struct buf *answer, struct err *err)
{
    ptrdiff_t at = slice_find_last(buf_slice(answer), '\n');
    uint64_t status = 0;

    if (at < 0 || !slice_number(slice_from(buf_slice(answer), (size_t)at + 1), &status) ||
        status < 100 || status > 999)
        return err_set(err, EX_UNAVAILABLE, "%s: no HTTP answer", h->url);
    answer->len = (size_t)at;
    answer->data[at] = '\0';
    return (int)status;
}

int bill_http_post(const struct bill_http *h, struct buf *answer, struct err *err)
{
    static const char *const argv[] = {"curl", "--disable", "--config", "-", NULL};
    struct buf request, errors;
    int result;

    buf_init(&request, REQUEST_BYTES);
    buf_init(&errors, ERROR_BYTES);
    add_request(h, &request);
    if (request.failed)
        result = err_set(err, EX_OSERR, "out of memory");
    else
        result = program_run(argv, buf_slice(&request), answer, &errors,
                             clock_monotonic_ms() + (TIMEOUT_S + 5) * 1000, err);
    if (result > 0)
        result = failed(h, result, &errors, err);
    else if (result == 0)
        result = take_status(h, answer, err);
    if (request.data != NULL)
        secret_forget(request.data, request.len);
    buf_fini(&errors);
    buf_fini(&request);
    return result;
}
