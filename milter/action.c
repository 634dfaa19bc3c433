#include "milter/action.h"

struct session_action action_continue(void)
{
    return (struct session_action){.what = SESSION_CONTINUE};
}

struct session_action action_refuse(const char *code, const char *enhanced, const char *text,
                                    const char *why)
{
    return (struct session_action){
        .what = SESSION_REPLY, .code = code, .enhanced = enhanced, .text = text, .why = why};
}

struct session_action action_no_memory(void)
{
    return action_refuse("452", "4.5.3",
                         "Too many recipients or too large a header: send it in parts",
                         "a message needs more memory than its cap");
}

struct session_action action_not_now(const char *why)
{
    return action_refuse("451", "4.3.0", "Mail accounting is not ready, try again later", why);
}

struct session_action action_no_room(void)
{
    return action_refuse("452", "4.3.1",
                         "Insufficient disk space for mail accounting, try again later",
                         "the journal cannot be written");
}
