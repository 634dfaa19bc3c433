#include "relay/message.h"

#include <string.h>

#define NO_MEMORY "452 4.3.1 Insufficient system storage"

void message_init(struct message *m, const char *spool_dir)
{
    *m = (struct message){.fault = NULL};
    arena_init(&m->arena, MESSAGE_HEADER_BYTES * 2);
    spool_init(&m->body, spool_dir);
    buf_init(&m->line, MESSAGE_FIELD_BYTES + 2);
    buf_init(&m->field, MESSAGE_FIELD_BYTES + 2);
}

void message_fini(struct message *m)
{
    arena_fini(&m->arena);
    spool_fini(&m->body);
    buf_fini(&m->line);
    buf_fini(&m->field);
}

void message_reset(struct message *m)
{
    arena_reset(&m->arena);
    spool_reset(&m->body);
    buf_reset(&m->line);
    buf_reset(&m->field);
    m->fields = NULL;
    m->field_count = m->field_room = 0;
    m->in_body = m->body_replaced = false;
    m->hops = 0;
    m->fault = NULL;
}

static bool fail(struct message *m, const char *fault)
{
    if (m->fault == NULL)
        m->fault = fault;
    return false;
}

/* --- fields ---------------------------------------------------------------------------------- */

static bool put_field(struct message *m, size_t at, struct slice name, struct slice value)
{
    struct message_field field = {arena_copy(&m->arena, name), arena_copy(&m->arena, value)};
    struct message_field *list =
        arena_grow(&m->arena, m->fields, m->field_count, &m->field_room, sizeof *list);

    if (list == NULL || field.name.ptr == NULL || field.value.ptr == NULL)
        return fail(m, "552 5.3.4 Message header too large");
    m->fields = list;
    memmove(list + at + 1, list + at, (m->field_count - at) * sizeof *list);
    list[at] = field;
    m->field_count++;
    return true;
}

static bool is_dropped(struct slice name)
{
    return slice_equal_nocase(name, SLICE("Return-Path")) ||
           slice_equal_nocase(name, SLICE("Bcc")) ||
           slice_equal_nocase(name, SLICE("Resent-Bcc")) ||
           slice_equal_nocase(name, SLICE("Content-Length"));
}

/* The field gathered so far is complete. */
static void field_done(struct message *m)
{
    struct slice text = buf_slice(&m->field), name;

    if (text.len == 0)
        return;
    text.len -= 2; /* its CRLF */
    (void)slice_cut(&text, ':', &name);
    name = slice_trim(name);
    if (slice_equal_nocase(name, SLICE("Received")) && ++m->hops > MESSAGE_HOPS_MAX)
        (void)fail(m, "554 5.4.6 Too many hops: mail loop");
    if (!is_dropped(name))
        (void)put_field(m, m->field_count, name, text);
    buf_reset(&m->field);
}

static bool is_field_start(struct slice line)
{
    size_t i = 0;

    while (i < line.len && line.ptr[i] > ' ' && line.ptr[i] < 0x7f && line.ptr[i] != ':')
        i++;
    if (i == 0)
        return false;
    while (i < line.len && (line.ptr[i] == ' ' || line.ptr[i] == '\t'))
        i++;
    return i < line.len && line.ptr[i] == ':';
}

static void begin_body(struct message *m, struct slice line)
{
    field_done(m);
    m->in_body = true;
    spool_add(&m->body, line);
}

/* One whole line of the header, with its CRLF. */
static void header_line(struct message *m, struct slice line)
{
    bool folded = line.ptr[0] == ' ' || line.ptr[0] == '\t';

    if (slice_equal(line, SLICE("\r\n"))) {
        begin_body(m, SLICE_NONE);
    } else if (folded ? m->field.len == 0 : !is_field_start(line)) {
        begin_body(m, line);
    } else {
        if (!folded)
            field_done(m);
        buf_add(&m->field, line);
        if (m->field.failed)
            (void)fail(m, "552 5.3.4 Header field too long");
    }
}

void message_add(struct message *m, struct slice portion)
{
    while (portion.len > 0 && m->fault == NULL && !m->in_body) {
        ptrdiff_t lf = slice_find(portion, '\n');
        size_t len = lf < 0 ? portion.len : (size_t)lf + 1;

        buf_add(&m->line, slice_to(portion, len));
        portion = (struct slice){portion.ptr + len, portion.len - len};
        if (m->line.failed)
            (void)fail(m, "552 5.3.4 Header line too long");
        else if (lf >= 0) {
            header_line(m, buf_slice(&m->line));
            buf_reset(&m->line);
        }
    }
    if (m->fault == NULL && portion.len > 0)
        spool_add(&m->body, portion);
    if (m->body.failed)
        (void)fail(m, NO_MEMORY);
}

void message_end(struct message *m)
{
    field_done(m);
    m->in_body = true;
}

/* --- changes --------------------------------------------------------------------------------- */

/* CRLF at the end of every line, whichever form the milter used. */
static void add_lines(struct buf *b, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n')
            buf_add(b, SLICE("\r\n"));
        else if (text.ptr[i] != '\r')
            buf_add_char(b, text.ptr[i]);
    }
}

/* A fold stays a fold: the next line begins with a blank, so that no value can become a field or
 * the body. */
static void add_value(struct buf *b, struct slice value)
{
    struct slice line;
    bool first = true;

    while (slice_cut(&value, '\n', &line)) {
        line = slice_trim(line).len == 0 ? SLICE_NONE : line;
        if (!first && line.len > 0) {
            buf_add(b, SLICE("\r\n"));
            if (line.ptr[0] != ' ' && line.ptr[0] != '\t')
                buf_add_char(b, '\t');
        }
        add_lines(b, line);
        first = false;
    }
}

static struct slice clean_value(struct message *m, struct slice value)
{
    buf_reset(&m->field);
    add_value(&m->field, value);
    if (m->field.failed)
        (void)fail(m, NO_MEMORY);
    return buf_slice(&m->field);
}

void message_insert_field(struct message *m, uint32_t index, struct slice name, struct slice value)
{
    size_t at = index < m->field_count ? index : m->field_count;

    (void)put_field(m, at, name, clean_value(m, value));
    buf_reset(&m->field);
}

void message_add_field(struct message *m, struct slice name, struct slice value)
{
    message_insert_field(m, UINT32_MAX, name, value);
}

static struct message_field *find_field(struct message *m, uint32_t index, struct slice name)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < m->field_count; i++) {
        if (slice_equal_nocase(m->fields[i].name, name) && ++seen == (index == 0 ? 1 : index))
            return &m->fields[i];
    }
    return NULL;
}

void message_change_field(struct message *m, uint32_t index, struct slice name, struct slice value)
{
    struct message_field *f = find_field(m, index, name);

    if (f == NULL && value.len > 0) {
        message_add_field(m, name, value);
    } else if (f != NULL && value.len > 0) {
        f->value = arena_copy(&m->arena, clean_value(m, value));
        buf_reset(&m->field);
        if (f->value.ptr == NULL)
            (void)fail(m, NO_MEMORY);
    } else if (f != NULL) {
        m->field_count--;
        memmove(f, f + 1, (m->field_count - (size_t)(f - m->fields)) * sizeof *f);
    }
}

void message_replace_body(struct message *m, struct slice portion)
{
    struct buf lines;

    if (!m->body_replaced)
        spool_reset(&m->body);
    m->body_replaced = true;
    buf_init(&lines, portion.len * 2);
    add_lines(&lines, portion);
    spool_add(&m->body, buf_slice(&lines));
    if (lines.failed || m->body.failed)
        (void)fail(m, NO_MEMORY);
    buf_fini(&lines);
}

void message_add_header(const struct message *m, struct buf *out)
{
    for (size_t i = 0; i < m->field_count; i++) {
        buf_add(out, m->fields[i].name);
        buf_add_char(out, ':');
        buf_add(out, m->fields[i].value);
        buf_add(out, SLICE("\r\n"));
    }
    buf_add(out, SLICE("\r\n"));
}
