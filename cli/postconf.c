#include "cli/postconf.h"

#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/program.h"

#define TIMEOUT_MS   10000
#define OUTPUT_BYTES ((size_t)4 << 20)

static int run(struct doctor *d, const char *how, const char *what, struct slice *out,
               struct err *err)
{
    const char *argv[8];
    struct buf output, errors;
    size_t argc = 0;
    int status;

    argv[argc++] = "postconf";
    if (d->postfix_dir != NULL) {
        argv[argc++] = "-c";
        argv[argc++] = d->postfix_dir;
    }
    argv[argc++] = how;
    if (what != NULL)
        argv[argc++] = what;
    argv[argc] = NULL;
    buf_init(&output, OUTPUT_BYTES);
    buf_init(&errors, OUTPUT_BYTES);
    status =
        program_run(argv, SLICE_NONE, &output, &errors, clock_monotonic_ms() + TIMEOUT_MS, err);
    if (status > 0)
        (void)err_set(err, EX_CONFIG, "postconf %s: %.*s", how,
                      SLICE_FMT(slice_trim(slice_to(buf_slice(&errors), 300))));
    *out = arena_copy(&d->arena, buf_slice(&output));
    buf_fini(&output);
    buf_fini(&errors);
    return status == 0 ? 0 : -1;
}

int postconf_read(struct doctor *d, struct postconf *out, struct err *err)
{
    *out = (struct postconf){0};
    if (run(d, "-x", NULL, &out->main, err) != 0 || run(d, "-P", NULL, &out->overrides, err) != 0)
        return -1;
    return run(d, "-F", NULL, &out->services, err);
}

bool postconf_next(struct slice *rest, const char *ending, struct slice *name, struct slice *value)
{
    struct slice line;

    while (slice_cut(rest, '\n', &line)) {
        ptrdiff_t equals = slice_find(line, '='), slash;

        if (equals < 0)
            continue;
        *name = slice_trim(slice_to(line, (size_t)equals));
        *value = slice_trim(slice_from(line, (size_t)equals + 1));
        slash = slice_find_last(*name, '/');
        if (ending == NULL ||
            slice_equal(slice_from(*name, (size_t)(slash + 1)), slice_str(ending)))
            return true;
    }
    return false;
}

struct slice postconf_value(struct slice lines, const char *wanted)
{
    struct slice name, value;

    while (postconf_next(&lines, NULL, &name, &value)) {
        if (slice_equal(name, slice_str(wanted)))
            return value;
    }
    return SLICE_NONE;
}

/* `{ unix:path, default_action=accept, command_timeout=5s }` */
static void take_group(struct slice group, struct postconf_milter *out)
{
    struct slice word;

    while (slice_word(&group, ", \t", &word)) {
        if (out->where.len == 0)
            out->where = word;
        else if (slice_starts_nocase(word, SLICE("default_action=")))
            out->default_action = slice_from(word, strlen("default_action="));
    }
}

bool postconf_milter_next(struct slice *rest, struct postconf_milter *out)
{
    ptrdiff_t end;

    *out = (struct postconf_milter){0};
    while (rest->len > 0 && strchr(", \t", rest->ptr[0]) != NULL)
        *rest = slice_from(*rest, 1);
    if (rest->len == 0)
        return false;
    if (rest->ptr[0] != '{')
        return slice_word(rest, ", \t", &out->where);
    end = slice_find(*rest, '}');
    if (end < 0)
        end = (ptrdiff_t)rest->len;
    take_group(slice_from(slice_to(*rest, (size_t)end), 1), out);
    *rest = slice_from(*rest, (size_t)end + 1);
    return true;
}

const char *postconf_user(struct doctor *d)
{
    struct slice lines, value;
    struct err err = {0};

    if (run(d, "-x", "mail_owner", &lines, &err) != 0)
        return NULL;
    value = postconf_value(lines, "mail_owner");
    return value.len > 0 ? arena_copy(&d->arena, value).ptr : NULL;
}
