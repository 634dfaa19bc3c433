#ifndef TG_SYS_SETTINGS_CHOICES_H
#define TG_SYS_SETTINGS_CHOICES_H

#include "lib/sys/settings_table.h"

/* The words that settings of the type SETTING_CHOICE (and SETTING_SYNC) take, and what each means;
 * a list for each such setting of the table, ended by a NULL. Of an enum unless said otherwise. */

extern const struct choice settings_choices_targets[];    /* enum log_target */
extern const struct choice settings_choices_facilities[]; /* syslog(3) numbers */
extern const struct choice settings_choices_levels[];     /* syslog(3) numbers */
extern const struct choice settings_choices_failures[];
extern const struct choice settings_choices_fulls[];
extern const struct choice settings_choices_modes[];
extern const struct choice settings_choices_units[];
extern const struct choice settings_choices_reconciles[];
extern const struct choice settings_choices_syncs[];
extern const struct choice settings_choices_factors[];
extern const struct choice settings_choices_milter_defaults[];
extern const struct choice settings_choices_tls_outs[];
extern const struct choice settings_choices_anomaly_actions[];
extern const struct choice settings_choices_spam_services[];

#endif
