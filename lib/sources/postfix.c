#include "lib/sources/postfix.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/files.h"
#include "lib/sys/program.h"

#define ASK_MS         10000
#define LIST_MS        60000
#define ASK_MAX_BYTES  ((size_t)1 << 20)
#define LIST_MAX_BYTES ((size_t)256 << 20)
#define WORDS_MAX      ((size_t)64 << 10)

/* The line with "fatal:" or "panic:" of what it wrote to its standard error; empty: none. */
static struct slice fatal_words(struct slice errors)
{
    struct slice line;

    while (slice_cut(&errors, '\n', &line))
        for (size_t i = 0; i + 6 <= line.len; i++)
            if (memcmp(line.ptr + i, "fatal:", 6) == 0 || memcmp(line.ptr + i, "panic:", 6) == 0)
                return slice_to(slice_trim(line), 300);
    return SLICE_NONE;
}

static bool contains(struct slice text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* postmap ends with 1 both for "not found" and for what went wrong: its words tell which. */
static int judge(const char *const *argv, int status, struct slice errors, struct err *err)
{
    struct slice words = fatal_words(errors);

    if (status < 0)
        return -1;
    if (words.len > 0)
        return err_set(err, EX_UNAVAILABLE, "%.*s", SLICE_FMT(words));
    if (status > 1)
        return err_set(err, EX_UNAVAILABLE, "%s ended with %d", argv[0], status);
    return 0;
}

static int run(const char *const *argv, struct slice input, struct buf *out, int64_t ms,
               bool *no_list, struct err *err)
{
    struct buf errors;
    int status, result;

    buf_init(&errors, WORDS_MAX);
    status = program_run(argv, input, out, &errors, clock_monotonic_ms() + ms, err);
    result = judge(argv, status, buf_slice(&errors), err);
    if (status < 0 && err != NULL && strstr(err->text, "cannot start") != NULL)
        result =
            err_set(err, EX_UNAVAILABLE,
                    "%s does not exist: a postfix: source needs Postfix on this machine", argv[0]);
    *no_list = contains(fatal_words(buf_slice(&errors)), "sequence operation is not supported");
    buf_fini(&errors);
    return result;
}

/* --- postconf
 * ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t offset; /* of a struct slice in struct postfix_config */
} rows[] = {
    {"mydestination", offsetof(struct postfix_config, mydestination)},
    {"virtual_alias_domains", offsetof(struct postfix_config, virtual_alias_domains)},
    {"virtual_mailbox_domains", offsetof(struct postfix_config, virtual_mailbox_domains)},
    {"virtual_alias_maps", offsetof(struct postfix_config, virtual_alias_maps)},
    {"alias_maps", offsetof(struct postfix_config, alias_maps)},
    {"recipient_bcc_maps", offsetof(struct postfix_config, recipient_bcc_maps)},
    {"sender_bcc_maps", offsetof(struct postfix_config, sender_bcc_maps)},
    {"recipient_delimiter", offsetof(struct postfix_config, recipient_delimiter)},
    {"myorigin", offsetof(struct postfix_config, myorigin)},
};

#define ROWS (sizeof rows / sizeof rows[0])

static void keep_setting(struct postfix_config *c, struct slice line, struct arena *arena,
                         bool *failed)
{
    struct slice name, value, kept;

    if (!postfix_list_setting(line, &name, &value))
        return;
    for (size_t i = 0; i < ROWS; i++) {
        if (!slice_equal(name, slice_str(rows[i].name)))
            continue;
        kept = arena_copy(arena, value);
        memcpy((char *)c + rows[i].offset, &kept, sizeof kept);
        *failed = *failed || kept.ptr == NULL;
    }
}

/* Debian has myorigin = /etc/mailname: the first word of that file. */
static void resolve_origin(struct postfix_config *c, struct arena *arena)
{
    struct slice rest, word = SLICE_NONE;
    struct buf text;

    if (c->myorigin.len == 0 || c->myorigin.ptr[0] != '/')
        return;
    buf_init(&text, 4096);
    if (file_read(c->myorigin.ptr, &text, NULL) == 0) {
        rest = buf_slice(&text);
        (void)slice_word(&rest, " \t\r\n", &word);
    }
    c->myorigin = word.len > 0 ? arena_copy(arena, word) : SLICE_NONE;
    buf_fini(&text);
}

/* Of a main.cf written this very second, postconf of Postfix 3.10 expands $config_directory to the
 * compiled-in one, unless it is set by -o. */
int postfix_config_read(const char *dir, struct arena *arena, struct postfix_config *out,
                        struct err *err)
{
    char directory[1024];
    const char *argv[7 + ROWS] = {"postconf", "-c", dir, "-o", directory, "-x"};
    struct slice rest, line;
    bool failed = false, no_list;
    struct buf text;
    int result;

    for (size_t i = 0; i < ROWS; i++)
        argv[6 + i] = rows[i].name;
    (void)snprintf(directory, sizeof directory, "config_directory=%s", dir);
    *out = (struct postfix_config){.dir = dir};
    buf_init(&text, ASK_MAX_BYTES);
    result = run(argv, SLICE_NONE, &text, ASK_MS, &no_list, err);
    rest = buf_slice(&text);
    while (result == 0 && slice_cut(&rest, '\n', &line))
        keep_setting(out, line, arena, &failed);
    buf_fini(&text);
    resolve_origin(out, arena);
    if (failed)
        return err_set(err, EX_OSERR, "out of memory for the settings of Postfix");
    return result;
}

bool postfix_has_aliases(const struct postfix_config *c)
{
    return c->alias_maps.len > 0 && c->mydestination.len > 0;
}

/* --- postmap
 * -------------------------------------------------------------------------------------- */

int postfix_table_list(const char *dir, const char *table, struct buf *out, struct err *err)
{
    const char *const argv[] = {"postmap", "-c", dir, "-s", table, NULL};
    bool no_list;
    int result;

    buf_init(out, LIST_MAX_BYTES);
    result = run(argv, SLICE_NONE, out, LIST_MS, &no_list, err);
    if (result != 0)
        buf_fini(out);
    if (no_list)
        return 0;
    return result == 0 ? 1 : -1;
}

int postfix_table_ask(const char *dir, const char *table, struct slice keys, struct buf *out,
                      struct err *err)
{
    const char *const argv[] = {"postmap", "-c", dir, "-q", "-", table, NULL};
    bool no_list;
    int result;

    buf_init(out, ASK_MAX_BYTES);
    result = run(argv, keys, out, ASK_MS, &no_list, err);
    if (result != 0)
        buf_fini(out);
    return result;
}

bool postfix_pair_next(struct slice *rest, struct slice *key, struct slice *value)
{
    struct slice line;

    while (rest->len > 0 && slice_cut(rest, '\n', &line)) {
        ptrdiff_t tab = slice_find(line, '\t');

        if (tab < 0)
            continue;
        *key = slice_to(line, (size_t)tab);
        *value = slice_trim(slice_from(line, (size_t)tab + 1));
        return true;
    }
    return false;
}
