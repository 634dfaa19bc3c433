#ifndef TG_WEB_API_H
#define TG_WEB_API_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/*
 * For programs: /api/v1 and the checks of load balancers. The same figures and parameters as the
 * pages; errors are problem+json; an answer has an ETag. What there is, is described by
 * /api/v1/openapi.json (api_document.h), which is made of the tables that the answers are made of.
 */

struct json_t; /* of jansson */

int api_report(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int api_reports(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int api_totals(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int api_domains(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int api_usage(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int api_violations(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int api_document(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int api_nodes(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Answers with it, and forgets it. */
int api_answer(struct exchange *x, struct json_t *json, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 3);

/* The process lives. */
int api_health(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Redis answers, and its schema is ours. */
int api_ready(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
