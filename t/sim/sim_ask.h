#ifndef TG_T_SIM_SIM_ASK_H
#define TG_T_SIM_SIM_ASK_H

/* Commands on standard input, one a line, their words separated by tabs; each answered by the
 * simulated Redis with one line: an integer as ":1", a text as "$text", an error as "-", nothing as
 * "_", an array as "[", its elements, "]". EVAL takes the name of a script for its source. */
int sim_ask_serve(void);

#endif
