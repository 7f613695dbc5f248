/*
 * The cheapest way to read a part of a trace, for one who knows it: a bound, since no component can do better.
 *
 * Files don't matter to each other.  Let cost[i] be the least that reading a file costs from its read i on if that one asks
 * the disk.  With n blocks ahead the next request is the first read after i that is below block[i] or above
 * block[i] + n; only such n are worth trying as bring one more of the blocks that are read.  So
 * cost[i] = min over n of seek + 1 + n + cost[that read].
 *
 * The first read below is that of a next smaller element, and the reads that are higher than all before form a chain of next
 * greater elements: both are found by following the answers for later reads.
 */
#define KN_BENCH
#include "kn_readahead.h"

static inline u32 earlier(u32 a, u32 b) { return a < b ? a : b; } /* KN_NONE is later than all */

/* `above`, `below`: room for a number a read; `first`: one a file, filled with KN_NONE, as it is left. */
KN_EXPORT("opt_run")
i64 opt_run(const u32 *file, const u32 *block, u32 *above, u32 *below, i64 *cost, u32 *first, u32 files, u32 from, u32 to,
            u32 seek) {
    for (u32 i = to; i-- > from;) {
        u32 next = first[file[i]], high = next, low = next;
        while (high != KN_NONE && block[high] <= block[i]) high = above[high];
        while (low != KN_NONE && block[low] >= block[i]) low = below[low];
        above[i] = high;
        below[i] = low;
        first[file[i]] = i;
        cost[i] = -1;
        for (u32 ahead = 0;;) {
            u32 stop = earlier(high, low);
            i64 all = (i64)seek + 1 + ahead + (stop == KN_NONE ? 0 : cost[stop]);
            if (cost[i] < 0 || all < cost[i]) cost[i] = all;
            if (high > low || high == KN_NONE || block[high] - block[i] > KN_MOST) break;
            ahead = block[high] - block[i];
            high = above[high];
        }
    }
    i64 sum = 0;
    for (u32 i = 0; i < files; i++) {
        if (first[i] != KN_NONE) sum += cost[first[i]];
        first[i] = KN_NONE;
    }
    return sum;
}
