#ifndef TG_COLLECT_LOG_JSON_H
#define TG_COLLECT_LOG_JSON_H

#include <stdbool.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * Steps through the members of one JSON object in place, as logs have them: flat, a line each.
 * Nothing is copied but strings with escapes. What is not JSON ends the steps.
 */

enum log_json_kind {
    LOG_JSON_STRING,
    LOG_JSON_NUMBER,
    LOG_JSON_ARRAY,
    LOG_JSON_OBJECT,
    LOG_JSON_WORD /* true, false, null */
};

struct log_json_value {
    enum log_json_kind kind;
    bool has_escapes;
    struct slice raw; /* a string's without its quotes, an array's and object's with brackets */
};

struct log_json {
    struct slice rest;
    bool has_ended; /* all of the object was read */
};

/* False: `text` does not begin an object. */
bool log_json_open(struct log_json *j, struct slice text) TG_NONNULL(1);
bool log_json_next(struct log_json *j, struct slice *key, struct log_json_value *value)
    TG_NONNULL(1, 2, 3);

/* A string's text: where it has escapes, undone at the end of *to (which must have room for the raw
 * length, or what was taken from it before moves). An array of numbers is taken as bytes, of
 * strings as its first. Empty for all else. */
struct slice log_json_text(const struct log_json_value *value, struct buf *to) TG_NONNULL(1, 2);

#endif
