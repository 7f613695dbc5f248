/*
 * LRU stack distances, exactly (Bennett and Kruskal, LRU stack processing, IBM J. Res. Dev. 19(4), 1975): how many different
 * blocks were requested since the same block was last requested.  A Fenwick tree over the requests has a one
 * where a block was last requested; the distance is the number of ones since then.
 */
#define KN_BENCH
#include "kn_file_system.h"

/*
 * distance[i] = the stack distance of request i, KN_NONE for a first request.  `tree` is zeroed room for requests + 1
 * numbers, `last` room for a number a block filled with KN_NONE.
 */
KN_EXPORT("stack_distances")
void stack_distances(const u32 *trace, u32 *distance, u32 *tree, u32 *last, u32 requests) {
    u32 ones = 0;
    for (u32 now = 0; now < requests; now++) {
        u32 before = last[trace[now]];
        distance[now] = KN_NONE;
        if (before != KN_NONE) {
            u32 up_to = 0; /* ones at requests 0 .. before */
            for (u32 i = before + 1; i; i &= i - 1) up_to += tree[i];
            distance[now] = ones - up_to;
            for (u32 i = before + 1; i <= requests; i += i & -i) tree[i]--;
            ones--;
        }
        for (u32 i = now + 1; i <= requests; i += i & -i) tree[i]++;
        ones++;
        last[trace[now]] = now;
    }
}
