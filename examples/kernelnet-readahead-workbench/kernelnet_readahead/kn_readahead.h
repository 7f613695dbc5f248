/*
 * ABI readahead/rank/1: how far to read ahead.
 *
 * Programs read files block by block.  A block that the last request for its file has brought is there; for any other one
 * a request goes to the disk, which brings it and as many of the blocks behind it as the component says: kn_window's
 * result, cut off to a whole number from 0 to 256; what is not a number is 0.  A request costs as much as carrying
 * `seek` blocks (a setting), and each block that it brings costs one more.  The blocks of a file's request before are
 * dropped then, used or not.
 *
 * The component is one pure function of numbers that the bench keeps, all of the file that is read but for the last:
 *
 *     run     blocks read in a row, this one included: 1 after a jump
 *     last    the length of the run before this one; 0 if there was none
 *     ahead   how many blocks the request before has brought besides the one asked for
 *     used    how many reads were served by these
 *     offset  the number of this block in its file
 *     mean    the mean length of the runs that ended lately, in all files; 0 before there is any
 */
#ifndef KN_READAHEAD_H
#define KN_READAHEAD_H

#include "kn.h"

#define KN_MOST 256

#ifndef KN_BENCH /* the bench's own programs call this instead of defining it */

KN_EXPORT("kn_window") f64 kn_window(f64 run, f64 last, f64 ahead, f64 used, f64 offset, f64 mean);

/* Optional: sets parameter `index`; called before anything else, and only while a generator searches. */
KN_EXPORT("kn_param") void kn_param(u32 index, f64 value);

#endif

#endif
