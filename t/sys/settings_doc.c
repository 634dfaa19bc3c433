/*
 * Prints what is written down about settings, from their table:
 *
 *     settings_doc sample      etc/tollgate.conf
 *     settings_doc manual      the list in doc/tollgate.conf.5
 *     settings_doc loaded FILE the settings with that file
 *
 * settings_docs.t holds both files to it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/settings_table.h"

#define COLUMNS 78

static const char head[] =
    "# Configuration of Tollgate; see tollgate.conf(5).\n"
    "#\n"
    "# Every setting is listed with its default, commented out. Remove the # to change one, test\n"
    "# with `tollgated -t`, and apply with `systemctl reload tollgated` (settings that need a\n"
    "# restart say so). `tollgated -T` prints the effective configuration.\n"
    "#\n"
    "# @include \"FILE\" on a line of its own includes another file.\n";

/* --- a setting in words --------------------------------------------------------------------- */

static void add_quoted(struct buf *b, struct slice s)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"' || s.ptr[i] == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, s.ptr[i]);
    }
    buf_add_char(b, '"');
}

static void add_items(struct buf *b, struct slice items)
{
    struct slice item;

    buf_add_char(b, '[');
    for (bool first = true; slice_word(&items, " ", &item); first = false) {
        buf_add_str(b, first ? "" : ", ");
        add_quoted(b, item);
    }
    buf_add_char(b, ']');
}

/* The default as it stands in a file. */
static void add_standard(struct buf *b, const struct setting *row)
{
    switch (row->type) {
    case SETTING_LIST:
        add_items(b, slice_str(row->standard));
        break;
    case SETTING_BOOL:
    case SETTING_NUMBER:
    case SETTING_PLANS:
        buf_add_str(b, row->standard);
        break;
    case SETTING_TEXT:
    case SETTING_CHOICE:
    case SETTING_SIZE:
    case SETTING_TIME:
    case SETTING_MODE:
    case SETTING_SYNC:
        add_quoted(b, slice_str(row->standard));
        break;
    }
}

/* Help, range, and whether a reload does. */
static void add_help(struct buf *b, const struct setting *row)
{
    size_t before;

    buf_add_str(b, row->help);
    before = b->len;
    buf_add_str(b, row->type == SETTING_CHOICE || row->type == SETTING_BOOL ? " One of: " : " ");
    if (row->type == SETTING_TIME || row->type == SETTING_SIZE || row->type == SETTING_NUMBER)
        buf_add_str(b, "From ");
    if (row->type == SETTING_SYNC)
        buf_add_str(b, "One of: ");
    size_t start = b->len;
    setting_range(row, b);
    if (b->len == start) {
        b->len = before;
        b->data[before] = '\0';
    } else {
        buf_add_char(b, '.');
    }
    if (!row->reloadable)
        buf_add_str(b, " A change needs a restart.");
}

/* --- the sample ------------------------------------------------------------------------------- */

/* Words in lines, each with `lead` in front. */
static void print_wrapped(unsigned depth, const char *lead, struct slice text)
{
    struct slice word;
    size_t column = 0;

    while (slice_word(&text, " ", &word)) {
        if (column > 0 && column + 1 + word.len > COLUMNS) {
            (void)putchar('\n');
            column = 0;
        }
        if (column == 0)
            column = (size_t)printf("%*s%s%.*s", (int)depth * 4, "", lead, SLICE_FMT(word));
        else
            column += (size_t)printf(" %.*s", SLICE_FMT(word));
    }
    (void)putchar('\n');
}

/* Plans are longer than a line; they are set out as in the manual. */
static void print_plans(struct slice text)
{
    static const struct {
        const char *word;
        int indent;
    } starts[] = {{"{", 4}, {"limits", 6}, {"{", 10}, {"max", 12}};
    struct slice word;
    size_t at = 0;

    (void)printf("#plans =");
    while (slice_word(&text, " ", &word)) {
        if (at < sizeof starts / sizeof starts[0] && slice_equal(word, slice_str(starts[at].word)))
            (void)printf("\n#%*s", starts[at++].indent, "");
        else
            (void)putchar(' ');
        (void)printf("%.*s", SLICE_FMT(word));
    }
    (void)printf(";\n");
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot == NULL ? path : dot + 1;
}

static void print_setting(const struct setting *row, unsigned depth)
{
    struct buf b;

    buf_init(&b, 65536);
    add_help(&b, row);
    print_wrapped(depth, "# ", buf_slice(&b));
    buf_reset(&b);
    if (row->type == SETTING_PLANS) {
        print_plans(slice_str(row->standard));
    } else {
        buf_addf(&b, "%s = ", last_part(row->path));
        add_standard(&b, row);
        buf_add_char(&b, ';');
        print_wrapped(depth, "#", buf_slice(&b));
    }
    buf_fini(&b);
}

/* Ends of groups and beginnings, with an empty line before each setting and group but the first of
 * a group. */
static unsigned print_groups(const char *before, const char *path)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    unsigned depth = settings_groups_print(out, before, path);
    struct slice rest, line;
    bool opened = false;

    (void)fclose(out);
    rest = (struct slice){text, len};
    while (slice_cut(&rest, '\n', &line) && line.len > 0) {
        opened = line.ptr[line.len - 1] == '{';
        (void)printf("%s%.*s\n", opened ? "\n" : "", SLICE_FMT(line));
    }
    if (!opened && path != NULL)
        (void)putchar('\n');
    free(text);
    return depth;
}

static void print_sample(void)
{
    const char *before = NULL;

    (void)fputs(head, stdout);
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *row = &settings_table[i];

        print_setting(row, print_groups(before, row->path));
        before = row->path;
    }
    (void)print_groups(before, NULL);
}

/* --- the manual ------------------------------------------------------------------------------- */

/* A sentence a line, as manual pages are written. */
static void print_sentences(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool ends = text.ptr[i] == '.' && i + 1 < text.len && text.ptr[i + 1] == ' ';

        (void)putchar(text.ptr[i]);
        if (text.ptr[i] == '\\')
            (void)putchar('e');
        if (ends) {
            (void)putchar('\n');
            i++;
        }
    }
    (void)putchar('\n');
}

/* One argument of a macro; what is too long for one stands in the text. */
static void print_argument(struct slice value)
{
    if (value.len > COLUMNS)
        return;
    (void)fputs(" Li \"= ", stdout);
    for (size_t i = 0; i < value.len; i++)
        (void)printf("%s%c", value.ptr[i] == '"' ? "\"" : "", value.ptr[i]);
    (void)putchar('"');
}

static void print_manual(void)
{
    struct buf b;

    buf_init(&b, 65536);
    for (size_t i = 0; i < settings_count; i++) {
        (void)printf(".It Ic %s", settings_table[i].path);
        buf_reset(&b);
        add_standard(&b, &settings_table[i]);
        print_argument(buf_slice(&b));
        (void)putchar('\n');
        buf_reset(&b);
        add_help(&b, &settings_table[i]);
        print_sentences(buf_slice(&b));
    }
    buf_fini(&b);
}

/* What is in force with that file. */
static int print_loaded(const char *file)
{
    struct err err = {0};
    struct settings *s = settings_load(file, stderr, &err);

    if (s == NULL)
        return EX_CONFIG;
    settings_print(s, stdout);
    settings_free(s);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "sample") == 0)
        print_sample();
    else if (argc == 2 && strcmp(argv[1], "manual") == 0)
        print_manual();
    else if (argc == 3 && strcmp(argv[1], "loaded") == 0)
        return print_loaded(argv[2]);
    else
        return EX_USAGE;
    return ferror(stdout) == 0 && fflush(stdout) == 0 ? 0 : EX_IOERR;
}
