#ifndef TG_WEB_PROBLEM_H
#define TG_WEB_PROBLEM_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/*
 * What went wrong, as a page for people or as application/problem+json (RFC 9457) for programs.
 * What is the fault of the machine is logged, and told without its details.
 */

/* The status follows from err->code (see routes.h). */
void problem_answer(struct exchange *x, const struct err *err) TG_NONNULL(1, 2);
void problem_answer_as(struct exchange *x, int status, const struct err *err) TG_NONNULL(1, 3);

#endif
