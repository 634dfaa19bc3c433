#ifndef TG_SYS_SETTINGS_CHECK_H
#define TG_SYS_SETTINGS_CHECK_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/* The syntax of texts in the configuration, of the kind setting_check. EX_CONFIG; the text says
 * what is wrong and the fix, and continues "setting: ". */

int settings_check_node(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_zone(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_reply(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_path(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_account(struct slice value, struct arena *arena,
                           struct err *err) TG_MUST_USE; /* user or group */
int settings_check_socket(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_optional_socket(struct slice value, struct arena *arena,
                                   struct err *err) TG_MUST_USE;
int settings_check_clamd(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_engine(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_url(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_prefix(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_word(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_source(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_percent(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_listed_source(struct slice value, struct arena *arena,
                                 struct err *err) TG_MUST_USE;
int settings_check_log(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_login_source(struct slice value, struct arena *arena,
                                struct err *err) TG_MUST_USE;
int settings_check_domain(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_address(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_network(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_counter(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_target(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_header(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_host_port(struct slice value, struct arena *arena, struct err *err) TG_MUST_USE;
int settings_check_relay_milter(struct slice value, struct arena *arena,
                                struct err *err) TG_MUST_USE;

#endif
