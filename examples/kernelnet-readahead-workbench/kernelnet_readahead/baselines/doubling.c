/*
 * Like Linux (mm/readahead.c: get_init_ra_size, get_next_ra_size): a file's beginning and a second block in a row start
 * a window of 4 blocks, which grows by two or four as long as the file is read in a row, up to 32 blocks; a
 * read elsewhere gets no more than it asks for.  (Linux asks for the next window before this one is used up, which costs
 * the same here.)
 */
#include "kn_readahead.h"

#define MOST 32

f64 kn_window(f64 run, f64 last, f64 ahead, f64 used, f64 offset, f64 mean) {
    if (run < 2) return offset == 0 ? 4 : 0;
    if (ahead < 4) return 4;
    if (ahead < MOST / 16.0) return 4 * ahead;
    if (ahead <= MOST / 2.0) return 2 * ahead;
    return MOST;
}
