#ifndef TG_SYS_SETTINGS_TABLE_H
#define TG_SYS_SETTINGS_TABLE_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/sys/settings.h"

/*
 * The one table of settings, in the order of the manual. To add a setting: a member of struct
 * settings and a row here; then write the sample file and the manual's list anew
 * (t/sys/settings_doc prints both), and add to the tests.
 */

enum setting_type {
    SETTING_TEXT,   /* const char * */
    SETTING_CHOICE, /* int (or an enum): one of choices */
    SETTING_BOOL,   /* bool */
    SETTING_NUMBER, /* int64_t */
    SETTING_SIZE,   /* int64_t, bytes; B KB MB GB */
    SETTING_TIME,   /* int64_t, ms; ms s min h days */
    SETTING_MODE,   /* unsigned; octal in quotes */
    SETTING_SYNC,   /* an enum (choices) and, for SYNC_TIMED, a time at at_ms */
    SETTING_LIST,   /* struct string_list */
    SETTING_PLANS   /* plans and plan_count; see settings_plans.h */
};

struct choice {
    const char *name; /* NULL ends the list */
    int value;
};

typedef int setting_check(struct slice value, struct arena *arena, struct err *err);

struct setting {
    const char *path; /* "milter.socket" */
    enum setting_type type;
    const char *standard; /* the default, unquoted; items of a list apart by blanks */
    size_t at, at_ms;     /* offsets in struct settings */
    int64_t min, max;     /* of NUMBER, SIZE, TIME, SYNC; of TEXT: max bytes, min 1: not empty */
    const struct choice *choices;
    setting_check *check; /* syntax of a text, or of each item of a list */
    bool reloadable;
    bool secret;      /* a URL whose password is masked when printed */
    const char *help; /* a sentence or more; plain text */
};

extern const struct setting settings_table[];
extern const size_t settings_count;

const struct setting *setting_find(struct slice path);
/* Is it the first part of a path ("milter")? */
bool setting_is_group(struct slice name);
/* The known path (or group) most like an unknown name, or NULL. */
const char *setting_nearest(struct slice path, struct arena *arena);

/* A value as text, the way the file has it without quotes: "10min", "64MB", "true". Not for lists
 * and plans. */
void setting_format(const struct setting *row, const struct settings *s, struct buf *b)
    TG_NONNULL(1);
/* Sets a value from such text; a list: from items apart by blanks. EX_CONFIG: err->text says what
 * is wrong and the fix, without the setting's name. */
int setting_set(const struct setting *row, struct settings *s, struct slice value,
                struct err *err) TG_MUST_USE TG_NONNULL(1);
/* A list's storage, and adding to it. */
struct string_list *setting_list(const struct setting *row, struct settings *s) TG_NONNULL(1);
int setting_list_add(const struct setting *row, struct settings *s, struct slice item,
                     struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Its range, choices or form in words ("10ms to 10s"); nothing where there is none to tell. */
void setting_range(const struct setting *row, struct buf *b) TG_NONNULL(1);
/* Closes the groups of the setting written `before` (NULL: none) that `path` (NULL: none any more)
 * is not in, and opens those it is in. Returns how deep it is in groups. */
unsigned settings_groups_print(FILE *out, const char *before, const char *path);

#endif
