/* What may come into force after what. */
#include "lib/core/hosted_guard.h"

#include <string.h>
#include <sysexits.h>

#include "t/tap.h"

#define DOMAINS  "hosted.domains"
#define FORWARDS "hosted.forwards"

static struct hosted *with_source(const char *list, const char *name, size_t entries)
{
    struct hosted *w = hosted_new(1 << 20);

    OK(hosted_add_source(w, list, slice_str(name), entries, NULL) == 0, name);
    return w;
}

static int check(struct hosted_guard *g, const struct hosted *before, const char *name,
                 size_t entries, bool is_asked_for, struct err *err)
{
    struct hosted *after = with_source(before->sources[0].list, name, entries);
    int result = hosted_guard_check(g, before, after, is_asked_for, err);

    hosted_free(after);
    return result;
}

static void test_table(void)
{
    static const struct {
        const char *list;
        size_t before, after;
        int want;
        const char *name;
    } cases[] = {
        {DOMAINS, 1000, 1000, 0, "the same"},
        {DOMAINS, 1000, 500, 0, "half"},
        {DOMAINS, 1000, 499, -1, "less"},
        {DOMAINS, 1000, 0, -1, "none of many"},
        {DOMAINS, 1, 0, -1, "none of one"},
        {DOMAINS, 0, 0, 0, "none of none"},
        {DOMAINS, 10, 4, -1, "less than half"},
        {DOMAINS, 9, 1, 0, "few, but not none"},
        {DOMAINS, 2, 1000, 0, "more"},
        {FORWARDS, 9, 0, 0, "the last few forwarders"},
        {FORWARDS, 10, 0, -1, "many forwarders"},
        {FORWARDS, 1000, 499, -1, "half of many"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hosted_guard g = {.complaint = {.code = 0}};
        struct hosted *before = with_source(cases[i].list, "file:/d", cases[i].before);
        struct err err = {.code = 0};

        IS_INT(check(&g, before, "file:/d", cases[i].after, false, &err), cases[i].want,
               cases[i].name);
        IS_INT(check(&g, before, "file:/other", cases[i].after, false, &err), 0,
               "a source that is named no more is no matter");
        hosted_free(before);
    }
}

static void test_confirm(void)
{
    struct hosted_guard g = {.complaint = {.code = 0}};
    struct hosted *before = with_source(DOMAINS, "file:/d", 1000), *none;
    struct err err = {.code = 0};

    none = with_source(DOMAINS, "file:/d", 0);
    OK(hosted_guard_check(&g, NULL, none, false, &err) == 0, "the first load has nothing to lose");
    hosted_free(none);
    IS_INT(check(&g, before, "file:/d", 400, true, &err), -1, "asked for before it was known");
    OK(err.code == EX_DATAERR && strstr(err.text, "shrunk from 1000 to 400 entries"), err.text);
    IS_INT(check(&g, before, "file:/d", 400, false, &err), -1, "a watch confirms nothing");
    IS_INT(check(&g, before, "file:/d", 0, true, &err), -1, "what was confirmed is something else");
    IS_INT(check(&g, before, "file:/d", 0, true, &err), 0, "confirmed");
    IS_INT(check(&g, before, "file:/d", 0, true, &err), -1, "once");
    IS_INT(check(&g, before, "file:/d", 900, false, &err), 0, "restored");
    IS_INT(g.complaint.code, 0, "no complaint is left");
    IS_INT(check(&g, before, "file:/d", 0, true, &err), -1, "which forgets it");
    hosted_free(before);
}

int main(void)
{
    test_table();
    test_confirm();
    return tap_done();
}
