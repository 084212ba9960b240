/* folder.h - a folder for a test, under TMPDIR or /tmp, and its end. */
#ifndef TOCSIN_TESTS_DB_FOLDER_H
#define TOCSIN_TESTS_DB_FOLDER_H

#include <stddef.h>

/* A new empty folder; freed and removed with all within by folder_free. */
char *folder_new(void);
void folder_free(char *folder);
/* "folder/name" into out; returns out. */
char *folder_path(const char *folder, const char *name, char out[512]);
void folder_copy(const char *from, const char *to);
/* Fresh, seeded pseudo-random numbers, the same on every machine. */
unsigned long long folder_random(unsigned long long *state);

#endif
