#include "lib/sys/settings_text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/files.h"

#define TEXT_BYTES ((size_t)1 << 20)
#define DEPTH_MAX  10
#define FILES_MAX  100

/* From that line of the text on, lines count up from file_line of file. */
struct text_origin {
    size_t line;
    const char *file;
    size_t file_line;
};

/* One file being read; `outer` is the one that includes it. */
struct settings_scan {
    struct settings_text *t;
    struct faults *faults;
    const struct settings_scan *outer;
    const char *file;
    struct slice in;
    size_t at, line;
    size_t *files, *out_line;
};

static void scan_file(struct settings_scan *s);

static void fault(const struct settings_scan *s, size_t line, const char *what)
{
    fault_add(s->faults, s->file, line, "%s", what);
}

static int origin_add(struct settings_scan *s)
{
    struct settings_text *t = s->t;

    t->origins = arena_grow(t->arena, t->origins, t->count, &t->room, sizeof *t->origins);
    if (t->origins == NULL) {
        t->count = t->room = 0;
        return -1;
    }
    t->origins[t->count++] = (struct text_origin){*s->out_line, s->file, s->line};
    return 0;
}

static bool at_text(const struct settings_scan *s, const char *text)
{
    return s->in.len - s->at >= strlen(text) && memcmp(s->in.ptr + s->at, text, strlen(text)) == 0;
}

/* Copies the next byte into the text. */
static void copy_byte(struct settings_scan *s)
{
    char c = s->in.ptr[s->at++];

    if (c == '\0')
        fault(s, s->line, "a NUL byte: this is not a text file; save it again with a text editor");
    buf_add_char(&s->t->text, c == '\0' ? ' ' : c);
    if (c == '\n') {
        s->line++;
        (*s->out_line)++;
    }
}

static void copy_line_comment(struct settings_scan *s)
{
    while (s->at < s->in.len && s->in.ptr[s->at] != '\n')
        copy_byte(s);
}

static void copy_block_comment(struct settings_scan *s)
{
    size_t begin = s->line;

    copy_byte(s);
    copy_byte(s);
    while (s->at < s->in.len && !at_text(s, "*/"))
        copy_byte(s);
    if (s->at == s->in.len) {
        fault(s, begin, "the comment that begins here is not closed: add */ at its end");
        return;
    }
    copy_byte(s);
    copy_byte(s);
}

/* Text in quotes, within one line, so that a missing quote is reported where it is missing. */
static void copy_quoted(struct settings_scan *s)
{
    copy_byte(s);
    while (s->at < s->in.len && s->in.ptr[s->at] != '"' && s->in.ptr[s->at] != '\n') {
        if (s->in.ptr[s->at] == '\\' && s->at + 1 < s->in.len && s->in.ptr[s->at + 1] != '\n')
            copy_byte(s);
        copy_byte(s);
    }
    if (s->at < s->in.len && s->in.ptr[s->at] == '"') {
        copy_byte(s);
        return;
    }
    fault(s, s->line, "the text in quotes is not closed: add \" at its end");
    buf_add_char(&s->t->text, '"');
}

/* libconfig silently truncates a number that does not fit. */
static void copy_word(struct settings_scan *s)
{
    size_t begin = s->at;
    const char *p = s->in.ptr + begin;
    unsigned long long value;
    char *end;

    while (s->at < s->in.len &&
           (isalnum((unsigned char)s->in.ptr[s->at]) != 0 ||
            strchr("_.-*", s->in.ptr[s->at]) != NULL) &&
           s->in.ptr[s->at] != '\0')
        copy_byte(s);
    if (isdigit((unsigned char)p[0]) == 0)
        return;
    /* The buffer has a NUL behind it, so strtoull ends within it. */
    value = strtoull(p, &end, 0);
    if (value > INT64_MAX || (value > INT32_MAX && *end != 'L' && *end != '.' && *end != 'e'))
        fault(s, s->line,
              "a number too large: the largest is 2147483647; sizes and times are "
              "written in quotes with a unit, such as \"64MB\"");
}

static bool is_included(const struct settings_scan *s, const char *path)
{
    for (; s != NULL; s = s->outer) {
        if (strcmp(s->file, path) == 0)
            return true;
    }
    return false;
}

static size_t scan_depth(const struct settings_scan *s)
{
    size_t depth = 0;

    for (; s != NULL; s = s->outer)
        depth++;
    return depth;
}

/* The path as it is opened: from the directory of the including file. */
static const char *include_path(const struct settings_scan *s, struct slice name)
{
    ptrdiff_t slash = slice_find_last(slice_str(s->file), '/');
    struct buf b;
    struct slice path;

    buf_init(&b, 4096);
    if (slash >= 0 && name.len > 0 && name.ptr[0] != '/')
        buf_add(&b, slice_to(slice_str(s->file), (size_t)slash + 1));
    buf_add(&b, name);
    path = b.failed ? SLICE_NONE : arena_copy(s->t->arena, buf_slice(&b));
    buf_fini(&b);
    return path.ptr;
}

static void include_file(struct settings_scan *s, struct slice name, size_t line)
{
    struct settings_scan inner = {.t = s->t, .faults = s->faults, .outer = s, .line = 1};
    struct buf content;
    struct err err;

    inner.file = include_path(s, name);
    inner.files = s->files;
    inner.out_line = s->out_line;
    if (inner.file == NULL || name.len == 0) {
        fault(s, line, "no file to include: write @include \"FILE\"");
        return;
    }
    if (is_included(s, inner.file) || scan_depth(s) >= DEPTH_MAX || ++*s->files >= FILES_MAX) {
        fault_add(s->faults, s->file, line,
                  "@include of %s: the file includes itself, is more than %d deep, or is the %dth "
                  "file: remove this line",
                  inner.file, DEPTH_MAX, FILES_MAX);
        return;
    }
    buf_init(&content, TEXT_BYTES);
    if (file_read(inner.file, &content, &err) != 0)
        fault_add(s->faults, s->file, line,
                  "@include: %s: name a readable file (a relative path starts at the directory of "
                  "the including file)",
                  err.text);
    inner.in = buf_slice(&content);
    if (inner.in.len > 0)
        scan_file(&inner);
    buf_fini(&content);
}

/* `@include "FILE"` at the beginning of a line, as libconfig has it. */
static void copy_include(struct settings_scan *s)
{
    size_t line = s->line, begin;
    struct slice rest = {s->in.ptr + s->at, s->in.len - s->at}, name, word;
    ptrdiff_t end = slice_find(rest, '\n');

    rest = end < 0 ? rest : slice_to(rest, (size_t)end);
    begin = s->at;
    (void)slice_word(&rest, " \t\"", &word);
    end = slice_find(rest, '"');
    name = end < 0 ? SLICE_NONE : slice_from(rest, (size_t)end + 1);
    end = slice_find(name, '"');
    name = end < 0 ? SLICE_NONE : slice_to(name, (size_t)end);
    s->at =
        name.len == 0 ? begin + strlen("@include") : (size_t)(name.ptr - s->in.ptr) + name.len + 1;
    include_file(s, name, line);
    /* Behind the included text, this file goes on in the same line. */
    buf_add_char(&s->t->text, '\n');
    (*s->out_line)++;
    (void)origin_add(s);
    if (name.len == 0)
        while (s->at < s->in.len && s->in.ptr[s->at] != '\n')
            s->at++;
}

static bool at_line_start(const struct settings_scan *s)
{
    size_t at = s->at;

    while (at > 0 && (s->in.ptr[at - 1] == ' ' || s->in.ptr[at - 1] == '\t'))
        at--;
    return at == 0 || s->in.ptr[at - 1] == '\n';
}

static void scan_file(struct settings_scan *s)
{
    if (origin_add(s) != 0)
        s->t->text.failed = true;
    while (s->at < s->in.len && !s->t->text.failed) {
        char c = s->in.ptr[s->at];

        if (c == '#' || at_text(s, "//"))
            copy_line_comment(s);
        else if (at_text(s, "/*"))
            copy_block_comment(s);
        else if (c == '"')
            copy_quoted(s);
        else if (at_text(s, "@include") && at_line_start(s))
            copy_include(s);
        else if (isalnum((unsigned char)c) != 0)
            copy_word(s);
        else
            copy_byte(s);
    }
}

int settings_text_read(struct settings_text *t, const char *file, struct arena *arena,
                       struct faults *faults, struct err *err)
{
    size_t files = 0, out_line = 1;
    struct settings_scan s = {
        .t = t, .faults = faults, .line = 1, .files = &files, .out_line = &out_line};
    struct buf content;
    int result;

    *t = (struct settings_text){.arena = arena};
    buf_init(&t->text, TEXT_BYTES);
    buf_init(&content, TEXT_BYTES);
    s.file = arena_copy(arena, slice_str(file)).ptr;
    result =
        s.file == NULL ? err_set(err, EX_OSERR, "out of memory") : file_read(file, &content, err);
    s.in = buf_slice(&content);
    if (result == 0)
        scan_file(&s);
    if (result == 0 && t->text.failed)
        fault(&s, s.line,
              "the configuration is larger than 1 MB: keep lists in files of their own "
              "and name them as sources, such as \"file:/etc/tollgate/domains\"");
    buf_fini(&content);
    return result;
}

void settings_text_fini(struct settings_text *t)
{
    buf_fini(&t->text);
}

void settings_text_locate(const struct settings_text *t, size_t line, const char **file,
                          size_t *file_line)
{
    size_t at = t->count;

    while (at > 1 && t->origins[at - 1].line > line)
        at--;
    if (at == 0 || t->origins[at - 1].line > line) {
        *file_line = line;
        return;
    }
    *file = t->origins[at - 1].file;
    *file_line = t->origins[at - 1].file_line + (line - t->origins[at - 1].line);
}
