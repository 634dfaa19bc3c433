#ifndef TG_SYS_SETTINGS_PLANS_H
#define TG_SYS_SETTINGS_PLANS_H

#include <libconfig.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/sys/settings.h"

/*
 * The setting `plans`: a list of groups, each a name and a list of limits. It is the one setting
 * that is not a single value, so it is loaded and printed here.
 */

/* A fault at a place of the file, to be reported with file and line. */
typedef void settings_plans_fault(void *context, const config_setting_t *at, const char *text);

void settings_plans_load(const config_setting_t *from, struct settings *s,
                         settings_plans_fault *fault, void *context);
/* The default: one plan, from the text of the table. */
int settings_plans_standard(struct settings *s, struct slice text, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* As valid configuration, without name and semicolon. */
void settings_plans_print(const struct settings *s, struct buf *b) TG_NONNULL(1);

#endif
