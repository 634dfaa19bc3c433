#include "lib/admin/setup.h"

int setup_open(struct setup *s, const struct settings *settings, struct err *err)
{
    *s = (struct setup){.settings = settings};
    s->hosted = source_load(settings, NULL, err);
    if (s->hosted != NULL)
        s->resolver = resolver_new(settings, err);
    if (s->resolver != NULL)
        s->rules = limit_rules_new(settings, err);
    return s->rules != NULL ? 0 : -1;
}

void setup_close(struct setup *s)
{
    limit_rules_free(s->rules);
    if (s->resolver != NULL)
        resolver_free(s->resolver);
    if (s->hosted != NULL)
        hosted_free(s->hosted);
    *s = (struct setup){0};
}

int setup_domain(const struct setup *s, struct slice domain, struct arena *arena, bool *is_hosted,
                 struct slice *charged, struct err *err)
{
    struct answers answers;
    enum hosted_result found;
    int result = 0;

    answers_init(&answers, arena);
    found = hosted_domain(s->hosted, &answers, domain, charged);
    if (found == HOSTED_ASK) {
        result = resolver_answer(s->resolver, &answers, err);
        if (result == 0)
            found = hosted_domain(s->hosted, &answers, domain, charged);
    }
    answers_fini(&answers);
    *is_hosted = result == 0 && found == HOSTED_YES;
    if (!*is_hosted)
        *charged = SLICE_NONE;
    return result;
}

bool setup_forward(const struct setup *s, const struct address *address, struct arena *arena,
                   struct forward_targets *targets, struct err *err)
{
    struct answers answers;
    enum hosted_result found;

    answers_init(&answers, arena);
    found = hosted_forward(s->hosted, &answers, address, targets);
    if (found == HOSTED_ASK && resolver_answer(s->resolver, &answers, err) == 0)
        found = hosted_forward(s->hosted, &answers, address, targets);
    answers_fini(&answers);
    return found == HOSTED_YES;
}
