#include "lib/ledger/push_fields.h"

#define EXACT_DIGITS 15 /* of each amount; push.lua looks closer */

/* The counters' names, one after the other, each behind the user and a blank. */
static void names_make(const struct row *row, struct buf *names)
{
    struct slice rest = row->counters, name, amount;

    while (slice_cut(&rest, ' ', &name) && slice_cut(&rest, ' ', &amount)) {
        buf_add(names, row->key.user);
        buf_add_char(names, ' ');
        buf_add(names, name);
    }
}

size_t push_fields(const struct row *row, struct buf *names, struct slice fields[PUSH_FIELDS_MAX])
{
    struct slice rest = row->counters, behind;
    size_t before = row->key.user.len + 1, count = 0;

    buf_reset(names);
    if (row->key.user.len > 0)
        names_make(row, names);
    behind = buf_slice(names);
    while (count < PUSH_FIELDS_MAX && slice_cut(&rest, ' ', &fields[count]) &&
           slice_cut(&rest, ' ', &fields[count + 1])) {
        if (fields[count + 1].len > EXACT_DIGITS)
            return 0;
        if (row->key.user.len > 0) {
            size_t len = before + fields[count].len;

            fields[count] = slice_to(behind, len);
            behind = slice_from(behind, len);
        }
        count += 2;
    }
    return rest.len > 0 || names->failed ? 0 : count;
}
