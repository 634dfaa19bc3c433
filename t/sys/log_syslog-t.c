/* log: to syslog. The C library's calls are our own here, so that what goes there can be seen. */
#include "t/tap.h"

#include <stdarg.h>

#include "lib/sys/log.h"

static char last_line[20000], last_ident[64];
static int last_priority, opened, closed, lines;

void openlog(const char *ident, int option, int facility)
{
    (void)option;
    (void)snprintf(last_ident, sizeof last_ident, "%s/%d", ident, facility);
    opened++;
}

void closelog(void)
{
    closed++;
}

__attribute__((format(printf, 2, 0))) static void take(int priority, const char *format, va_list ap)
{
    last_priority = priority;
    (void)vsnprintf(last_line, sizeof last_line, format, ap);
    lines++;
}

#undef syslog /* with _FORTIFY_SOURCE it may be a macro */
void syslog(int priority, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    take(priority, format, ap);
    va_end(ap);
}

/* What syslog is called with _FORTIFY_SOURCE. */
__attribute__((format(printf, 3, 4))) void __syslog_chk(int priority, int flag, const char *format,
                                                        ...);
void __syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list ap;

    (void)flag;
    va_start(ap, format);
    take(priority, format, ap);
    va_end(ap);
}

int main(void)
{
    static char large[100000];

    log_open("tollgated", LOG_TARGET_SYSLOG, LOG_LOCAL3, LOG_NOTICE);
    char want[64];
    (void)snprintf(want, sizeof want, "tollgated/%d", LOG_LOCAL3);
    IS_STR(last_ident, want, "opened by name and facility");
    log_event(LOG_WARNING, "100% sure", LOG_STR("k", "%n %s"));
    IS_STR(last_line, "100% sure k=\"%n %s\"",
           "a line without time or level; no format in it works");
    IS_INT(last_priority, LOG_LOCAL3 | LOG_WARNING, "facility and level");
    log_plain(LOG_INFO, "less important");
    IS_INT(lines, 1, "what is less important than the level is not written");
    OK(log_wants(LOG_NOTICE) && !log_wants(LOG_INFO), "and may be asked about");
    memset(large, 'x', sizeof large - 1);
    for (int i = 0; i < 5; i++)
        log_event(LOG_ERR, "large", LOG_STR("a", large), LOG_STR("b", large), LOG_STR("c", large),
                  LOG_STR("d", large), LOG_STR("e", large));
    OK(strlen(last_line) <= LOG_LINE_BYTES, "a line is bounded");
    log_open("tollgated", LOG_TARGET_SYSLOG, LOG_MAIL, LOG_DEBUG);
    log_plain(LOG_DEBUG, "now");
    IS_STR(last_line, "now", "opened again, with another level");
    IS_INT(last_priority, LOG_MAIL | LOG_DEBUG, "and facility");
    OK(opened == 2 && closed == 2, "closed before");
    return tap_done();
}
