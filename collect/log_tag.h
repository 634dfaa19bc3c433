#ifndef TG_COLLECT_LOG_TAG_H
#define TG_COLLECT_LOG_TAG_H

#include "collect/log_line.h"
#include "collect/machine.h"
#include "lib/core/contract.h"

/*
 * Which program a line is of: by its tag, NAME/[SERVICE/]DAEMON for Postfix with NAME one of
 * `collect.names`, and by what it says where a logger cut the tag at its first slash.
 */

/* Fills instance, service and daemon in from tag and text. */
void log_tag_read(struct log_line *line, const struct machine_list *names) TG_NONNULL(1, 2);
/* The Postfix daemon that alone says such things; DAEMON_POSTFIX: several do, or none known. */
enum daemon log_tag_by_text(struct slice text);
/* "smtpd", "postscreen" ... as messages and tests name them. */
const char *log_tag_name(enum daemon daemon);

#endif
