#ifndef TG_T_SIM_SIM_FILES_H
#define TG_T_SIM_SIM_FILES_H

/* The files of a node in a directory, copied and removed past the simulated disk. What fails
 * aborts. */

enum sim_files { SIM_FILES_ALL, SIM_FILES_LEDGER, SIM_FILES_JOURNAL, SIM_FILES_KINDS };

void sim_files_copy(const char *from, const char *to, enum sim_files which);
void sim_files_remove(const char *dir, enum sim_files which);

#endif
