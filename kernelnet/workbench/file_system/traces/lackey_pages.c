/*
 * Reads the output of `valgrind --tool=lackey --trace-mem=yes` and writes the number of each 4 KiB page that is touched and
 * isn't among the FILTER pages touched most recently: about what a processor's TLB would let through.
 *
 * Lines are " L address,size" (load), " S …" (store), " M …" (both), "I  address,size" (instruction fetch).
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    int filter = argc > 1 ? atoi(argv[1]) : 256, held = 0;
    unsigned long *recent = calloc((unsigned)filter + 1, sizeof *recent); /* most recent first */
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        if ((line[0] != ' ' && line[0] != 'I') || line[2] != ' ') continue;
        unsigned long page = strtoul(line + 3, NULL, 16) >> 12;
        int at = 0;
        while (at < held && recent[at] != page) at++;
        if (at == held) {
            printf("%lu\n", page);
            if (held < filter) held++;
            else at--;
        }
        for (; at > 0; at--) recent[at] = recent[at - 1];
        recent[0] = page;
    }
    return 0;
}
