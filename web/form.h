#ifndef TG_WEB_FORM_H
#define TG_WEB_FORM_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/html.h"

/* Fields of forms that change something, each with its label. A form is opened by page_form_open.
 */

struct form_field {
    const char *label, *name;
    const char *type;  /* "text", "password" ... */
    const char *hint;  /* of what may stand there, such as "2,000 or 10GB"; NULL: none */
    const char *fills; /* autocomplete; NULL: nothing does */
    size_t most;       /* characters; 0: no matter */
    bool is_needed;
};

void form_input(struct html *h, const struct form_field *f, struct slice value) TG_NONNULL(1, 2);
/* A choice; words and texts are ended by NULL and may be the same. `chosen` is one of the words. */
void form_choice(struct html *h, const char *label, const char *name, const char *const *words,
                 const char *const *texts, struct slice chosen) TG_NONNULL(1, 2, 3, 4, 5);
/* Sends "1" where it is set. */
void form_box(struct html *h, const char *label, const char *name, bool is_set) TG_NONNULL(1, 2, 3);
/* What is wrong with what was sent, read out at once; nothing where the text is empty. */
void form_complaint(struct html *h, struct slice text) TG_NONNULL(1);
/* What was done. */
void form_done(struct html *h, struct slice text) TG_NONNULL(1);

#endif
