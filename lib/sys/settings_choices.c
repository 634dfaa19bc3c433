#include "lib/sys/settings_choices.h"

#include <syslog.h>

#include "lib/sys/log.h"

const struct choice settings_choices_targets[] = {
    {"syslog", LOG_TARGET_SYSLOG}, {"stderr", LOG_TARGET_STDERR}, {NULL, 0}};
const struct choice settings_choices_facilities[] = {
    {"mail", LOG_MAIL},     {"daemon", LOG_DAEMON}, {"user", LOG_USER},
    {"auth", LOG_AUTH},     {"syslog", LOG_SYSLOG}, {"authpriv", LOG_AUTHPRIV},
    {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},
    {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}, {NULL, 0}};
const struct choice settings_choices_levels[] = {{"error", LOG_ERR},     {"warning", LOG_WARNING},
                                                 {"notice", LOG_NOTICE}, {"info", LOG_INFO},
                                                 {"debug", LOG_DEBUG},   {NULL, 0}};
const struct choice settings_choices_failures[] = {{"local", ON_FAILURE_LOCAL},
                                                   {"accept", ON_FAILURE_ACCEPT},
                                                   {"defer", ON_FAILURE_DEFER},
                                                   {NULL, 0}};
const struct choice settings_choices_fulls[] = {
    {"defer", ON_FAILURE_DEFER}, {"accept", ON_FAILURE_ACCEPT}, {NULL, 0}};
const struct choice settings_choices_modes[] = {
    {"observe", THROTTLE_OBSERVE}, {"enforce", THROTTLE_ENFORCE}, {NULL, 0}};
const struct choice settings_choices_units[] = {{"B", BILLING_BYTES}, {"MB", BILLING_MB},
                                                {"GB", BILLING_GB},   {"MiB", BILLING_MIB},
                                                {"GiB", BILLING_GIB}, {NULL, 0}};
const struct choice settings_choices_reconciles[] = {
    {"report", RECONCILE_REPORT}, {"adjust", RECONCILE_ADJUST}, {NULL, 0}};
const struct choice settings_choices_syncs[] = {
    {"always", SYNC_ALWAYS}, {"never", SYNC_NEVER}, {NULL, 0}};
const struct choice settings_choices_factors[] = {{"destination", OUT_BYTES_DESTINATION},
                                                  {"recipient", OUT_BYTES_RECIPIENT},
                                                  {"message", OUT_BYTES_MESSAGE},
                                                  {NULL, 0}};

const struct choice settings_choices_milter_defaults[] = {{"tempfail", MILTER_DEFAULT_TEMPFAIL},
                                                          {"accept", MILTER_DEFAULT_ACCEPT},
                                                          {"reject", MILTER_DEFAULT_REJECT},
                                                          {"quarantine", MILTER_DEFAULT_QUARANTINE},
                                                          {NULL, 0}};

const struct choice settings_choices_tls_outs[] = {{"none", TLS_OUT_NONE},
                                                   {"may", TLS_OUT_MAY},
                                                   {"encrypt", TLS_OUT_ENCRYPT},
                                                   {"verify", TLS_OUT_VERIFY},
                                                   {NULL, 0}};

const struct choice settings_choices_anomaly_actions[] = {{"", -1},
                                                          {"log", ACTION_LOG},
                                                          {"defer", ACTION_DEFER},
                                                          {"reject", ACTION_REJECT},
                                                          {"hold", ACTION_HOLD},
                                                          {NULL, 0}};
const struct choice settings_choices_spam_services[] = {
    {"spamd", SPAM_SPAMD}, {"amavis", SPAM_AMAVIS}, {"rspamd", SPAM_RSPAMD}, {NULL, 0}};
