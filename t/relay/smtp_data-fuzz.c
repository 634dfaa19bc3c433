/* The un-stuffing of messages against a slow and obvious one, in two kinds of portions. */
#include <string.h>

#include "lib/core/err.h"
#include "relay/smtp_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Line by line: where a line ends in anything but CRLF, or holds CR, LF or NUL, the text is
 * refused. */
static enum smtp_data_state slowly(struct slice in, struct buf *out)
{
    while (in.len > 0) {
        const char *end = memmem(in.ptr, in.len, "\r\n", 2);
        size_t len = end == NULL ? in.len : (size_t)(end - in.ptr);
        struct slice line = slice_to(in, len);
        size_t plain = 0;

        while (plain < len && strchr("\r\n", line.ptr[plain]) == NULL)
            plain++;
        if (plain < len || end == NULL)
            return SMTP_DATA_BARE; /* or NUL, or unfinished: told apart by the caller */
        if (slice_equal(line, SLICE(".")))
            return SMTP_DATA_END;
        buf_add(out, line.len > 0 && line.ptr[0] == '.' ? slice_from(line, 1) : line);
        buf_add(out, SLICE("\r\n"));
        in = slice_from(in, len + 2);
    }
    return SMTP_DATA_LINE_START;
}

static enum smtp_data_state in_portions(struct slice in, size_t portion, struct buf *out)
{
    struct smtp_data d;

    smtp_data_init(&d);
    while (in.len > 0 && d.state < SMTP_DATA_END) {
        struct slice part = slice_to(in, portion);
        size_t before = part.len;

        smtp_data_take(&d, &part, out);
        in = slice_from(in, before - part.len);
    }
    return d.state;
}

/* No line end but CRLF in it. */
static void check_text(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        TG_ASSERT(text.ptr[i] != '\0');
        if (text.ptr[i] == '\n')
            TG_ASSERT(i > 0 && text.ptr[i - 1] == '\r');
        if (text.ptr[i] == '\r')
            TG_ASSERT(i + 1 < text.len && text.ptr[i + 1] == '\n');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = {(const char *)data, size};
    struct buf fast, again, slow;
    enum smtp_data_state state;

    buf_init(&fast, size + 16);
    buf_init(&again, size + 16);
    buf_init(&slow, size + 16);
    state = in_portions(in, 1000000, &fast);
    TG_ASSERT(state == in_portions(in, 3, &again));
    TG_ASSERT(slice_equal(buf_slice(&fast), buf_slice(&again)));
    check_text(buf_slice(&fast));
    if (slowly(in, &slow) == SMTP_DATA_END) {
        TG_ASSERT(state == SMTP_DATA_END);
        TG_ASSERT(slice_equal(buf_slice(&fast), buf_slice(&slow)));
    } else {
        TG_ASSERT(state != SMTP_DATA_END);
    }
    buf_fini(&fast);
    buf_fini(&again);
    buf_fini(&slow);
    return 0;
}
