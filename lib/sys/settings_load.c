#include <libconfig.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/fault.h"
#include "lib/sys/settings_duplicate.h"
#include "lib/sys/settings_plans.h"
#include "lib/sys/settings_table.h"
#include "lib/sys/settings_text.h"

#define ARENA_BYTES ((size_t)16 << 20)

const char settings_default_file[] = SYSCONFDIR "/tollgate/tollgate.conf";

struct loader {
    struct settings *s;
    struct settings_text text;
    struct faults faults;
};

/* Where a setting stands, for a fault. */
static void locate(const struct loader *l, unsigned line, const char **file, size_t *file_line)
{
    *file = l->s->file;
    settings_text_locate(&l->text, line, file, file_line);
}

static void value_fault(struct loader *l, const config_setting_t *at, const struct setting *row,
                        const char *text)
{
    const char *file;
    size_t line;

    locate(l, config_setting_source_line(at), &file, &line);
    if (strncmp(text, row->path, strlen(row->path)) == 0) /* the text names it already */
        fault_add(&l->faults, file, line, "%s", text);
    else
        fault_add(&l->faults, file, line, "%s: %s", row->path, text);
}

/* How a value of that type is written, for the fix. */
static const char *type_form(enum setting_type type)
{
    switch (type) {
    case SETTING_BOOL:
        return "true or false, without quotes";
    case SETTING_NUMBER:
        return "a whole number, without quotes";
    case SETTING_SIZE:
        return "a size in quotes, such as \"64MB\"";
    case SETTING_TIME:
        return "a time in quotes, such as \"10min\"";
    case SETTING_SYNC:
        return "\"always\", \"never\" or a time in quotes, such as \"1s\"";
    case SETTING_MODE:
        return "octal digits in quotes, such as \"0660\"";
    case SETTING_LIST:
        return "texts in brackets, such as [\"one\", \"two\"]";
    case SETTING_PLANS:
        return "a list of groups, ( { ... } )";
    case SETTING_TEXT:
    case SETTING_CHOICE:
        break;
    }
    return "a text in quotes";
}

static void type_fault(struct loader *l, const config_setting_t *at, const struct setting *row)
{
    char text[256];

    (void)snprintf(text, sizeof text, "the value is of the wrong type: write %s",
                   type_form(row->type));
    value_fault(l, at, row, text);
}

static void load_list(struct loader *l, const config_setting_t *from, const struct setting *row)
{
    int count = config_setting_length(from);
    struct err err;

    *setting_list(row, l->s) = (struct string_list){0};
    for (int i = 0; i < count; i++) {
        const config_setting_t *item = config_setting_get_elem(from, (unsigned)i);

        if (config_setting_type(item) != CONFIG_TYPE_STRING)
            type_fault(l, item, row);
        else if (setting_list_add(row, l->s, slice_str(config_setting_get_string(item)), &err) != 0)
            value_fault(l, item, row, err.text);
    }
}

/* A scalar as the text that setting_set takes; false where the type is another. */
static bool scalar_text(const config_setting_t *from, const struct setting *row, struct buf *b)
{
    switch (config_setting_type(from)) {
    case CONFIG_TYPE_STRING:
        buf_add_str(b, config_setting_get_string(from));
        return row->type != SETTING_BOOL && row->type != SETTING_NUMBER;
    case CONFIG_TYPE_BOOL:
        buf_add_str(b, config_setting_get_bool(from) != 0 ? "true" : "false");
        return row->type == SETTING_BOOL;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        buf_addf(b, "%lld", config_setting_get_int64(from));
        return row->type == SETTING_NUMBER;
    default:
        return false;
    }
}

/* Faults of plans. */
struct plans_place {
    struct loader *l;
    const struct setting *row;
};

static void plan_fault(void *context, const config_setting_t *at, const char *text)
{
    const struct plans_place *place = context;

    value_fault(place->l, at, place->row, text);
}

static void load_value(struct loader *l, const config_setting_t *from, const struct setting *row)
{
    struct buf b;
    struct err err;

    if (row->type == SETTING_PLANS) {
        settings_plans_load(from, l->s, plan_fault, &(struct plans_place){l, row});
        return;
    }
    if (row->type == SETTING_LIST) {
        if (config_setting_is_array(from) || config_setting_is_list(from))
            load_list(l, from, row);
        else
            type_fault(l, from, row);
        return;
    }
    buf_init(&b, 65536);
    if (!scalar_text(from, row, &b))
        type_fault(l, from, row);
    else if (setting_set(row, l->s, buf_slice(&b), &err) != 0)
        value_fault(l, from, row, err.text);
    buf_fini(&b);
}

static void unknown_fault(struct loader *l, const config_setting_t *at, struct slice path)
{
    const char *near = setting_nearest(path, &l->s->arena);
    const char *file;
    size_t line;

    locate(l, config_setting_source_line(at), &file, &line);
    if (near != NULL)
        fault_add(&l->faults, file, line, "unknown setting \"%.*s\": did you mean \"%s\"?",
                  SLICE_FMT(path), near);
    else
        fault_add(&l->faults, file, line,
                  "unknown setting \"%.*s\": remove it; tollgate.conf(5) lists the settings",
                  SLICE_FMT(path));
}

static void load_group(struct loader *l, const config_setting_t *group, struct slice name);

static void load_setting(struct loader *l, const config_setting_t *from, struct slice path)
{
    const struct setting *row = setting_find(path);
    const char *file;
    size_t line;

    if (row != NULL) {
        struct setting_place *place = &l->s->places[row - settings_table];

        locate(l, config_setting_source_line(from), &place->file, &place->line);
        load_value(l, from, row);
    } else if (!setting_is_group(path)) {
        unknown_fault(l, from, path);
    } else if (config_setting_is_group(from)) {
        load_group(l, from, path);
    } else {
        locate(l, config_setting_source_line(from), &file, &line);
        fault_add(&l->faults, file, line,
                  "%.*s: the value is of the wrong type: write a group, %.*s: { ... };",
                  SLICE_FMT(path), SLICE_FMT(path));
    }
}

static void load_group(struct loader *l, const config_setting_t *group, struct slice name)
{
    int count = config_setting_length(group);
    struct buf path;

    buf_init(&path, 4096);
    for (int i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);

        buf_reset(&path);
        if (name.len > 0) {
            buf_add(&path, name);
            buf_add_char(&path, '.');
        }
        buf_add_str(&path, config_setting_name(setting));
        load_setting(l, setting, buf_slice(&path));
    }
    buf_fini(&path);
}

/* Names the setting, and where it stands first. */
static bool duplicate_fault(struct loader *l)
{
    const char *first_file, *file;
    struct settings_duplicate d;
    size_t first_line, line;

    if (!settings_duplicate_find(buf_slice(&l->text.text), &d))
        return false;
    locate(l, d.first, &first_file, &first_line);
    locate(l, d.second, &file, &line);
    fault_add(&l->faults, file, line,
              "%.*s: the setting is given twice, first in %s:%zu: remove one of the two",
              SLICE_FMT(d.name), first_file, first_line);
    return true;
}

static void parse_fault(struct loader *l, const config_t *config)
{
    const char *what = config_error_text(config), *fix, *file;
    size_t line;

    locate(l, (unsigned)config_error_line(config), &file, &line);
    if (what == NULL)
        what = "not readable";
    if (strstr(what, "duplicate") != NULL && duplicate_fault(l))
        return;
    if (strstr(what, "duplicate") != NULL)
        fix = "the setting is given twice: remove one of the two";
    else if (strstr(what, "mismatched") != NULL)
        fix = "all values in [ ] have to be of one type: put each in quotes";
    else
        fix = "check this line and the one before for a missing \";\", bracket or quote";
    fault_add(&l->faults, file, line, "%s: %s", what, fix);
}

static void parse(struct loader *l)
{
    config_t config;

    config_init(&config);
    if (config_read_string(&config, buf_slice(&l->text.text).ptr) == CONFIG_TRUE)
        load_group(l, config_root_setting(&config), SLICE_NONE);
    else
        parse_fault(l, &config);
    config_destroy(&config);
}

/* The host's name, where the file gives none. */
static void complete_node(struct loader *l)
{
    const struct setting *row = setting_find(SLICE("node"));
    char host[256] = "";
    struct err err;

    if (l->s->node[0] != '\0')
        return;
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
        fault_add(&l->faults, l->s->file, 1, "node: the host has no name: set node = \"mx1\";");
    else if (setting_set(row, l->s, slice_str(host), &err) != 0)
        fault_add(
            &l->faults, l->s->file, 1,
            "node: the host name \"%s\" is not a valid node name: set one, such as node = \"mx1\";",
            host);
}

static int set_standards(struct settings *s, struct err *err)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *row = &settings_table[i];

        if (row->standard[0] == '\0' && row->type == SETTING_TEXT)
            memcpy((char *)s + row->at, &row->standard, sizeof row->standard);
        else if (setting_set(row, s, slice_str(row->standard), err) != 0)
            return err_prefix(err, "default of %s", row->path);
    }
    return 0;
}

static int load(struct loader *l, const char *file, struct err *err)
{
    int result;

    l->s->file = arena_copy(&l->s->arena, slice_str(file)).ptr;
    l->s->places = arena_array(&l->s->arena, settings_count, sizeof *l->s->places);
    if (l->s->file == NULL || l->s->places == NULL)
        return err_set(err, EX_OSERR, "cannot load %s: out of memory", file);
    if (set_standards(l->s, err) != 0)
        return -1;
    result = settings_text_read(&l->text, file, &l->s->arena, &l->faults, err);
    if (result == 0 && l->faults.count == 0)
        parse(l);
    settings_text_fini(&l->text);
    if (result == 0 && l->faults.count == 0)
        complete_node(l);
    faults_end(&l->faults);
    return result == 0 && l->faults.count == 0 ? 0 : -1;
}

struct settings *settings_load(const char *file, FILE *faults, struct err *err)
{
    struct err own;
    struct loader l = {.faults = {.out = faults, .err = err != NULL ? err : &own}};

    l.faults.code = EX_CONFIG;
    l.s = calloc(1, sizeof *l.s);
    if (l.s == NULL) {
        (void)err_set(err, EX_OSERR, "cannot load %s: out of memory", file);
        return NULL;
    }
    arena_init(&l.s->arena, ARENA_BYTES);
    if (load(&l, file, l.faults.err) == 0)
        return l.s;
    settings_free(l.s);
    return NULL;
}

struct settings *settings_defaults(struct err *err)
{
    struct settings *s = calloc(1, sizeof *s);

    if (s == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    arena_init(&s->arena, ARENA_BYTES);
    if (set_standards(s, err) == 0)
        return s;
    settings_free(s);
    return NULL;
}

void settings_place(const struct settings *s, const char *path, const char **file, size_t *line)
{
    const struct setting *row = setting_find(slice_str(path));
    const struct setting_place *place = row != NULL ? &s->places[row - settings_table] : NULL;

    *file = place != NULL && place->file != NULL ? place->file : s->file;
    *line = place != NULL && place->file != NULL ? place->line : 1;
}

bool settings_is_set(const struct settings *s, const char *path)
{
    const struct setting *row = setting_find(slice_str(path));

    return row != NULL && s->places[row - settings_table].file != NULL;
}

void settings_free(struct settings *s)
{
    if (s == NULL)
        return;
    arena_fini(&s->arena);
    free(s);
}
