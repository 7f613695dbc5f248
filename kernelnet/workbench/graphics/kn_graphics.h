/*
 * When a compositor starts to repaint.
 *
 * The screen takes a new picture at each vertical blank (vblank), one in `period` microseconds.  Whoever repaints early
 * shows what is old by the time it is seen; whoever repaints late may miss the vblank, and shows it one period later.
 * After a vblank, when something is to be painted, a component says how much time the repaint should get: its budget.  It
 * is asked again whenever a client commits a surface, since what has changed tells how much work there will be.  The
 * repaint starts a budget before the next vblank, or at once where that is past:
 *
 *     vblank            commit of a surface     start                      vblank
 *       |------------------------|----------------|========= work =======----|
 *                                                 |<------- budget --------->|
 *
 * A frame is the sequence of calls kn_vblank, kn_commit for each surface that has changed, kn_done.  In the recording the
 * repaint began after the last of these commits, so it does here: of the budgets the last one counts.
 *
 * Times are whole microseconds, budgets are microseconds and may have a fraction, which is dropped.  Nothing that counts up
 * is told, so that nobody knows by it where in a recorded session he is; a surface is known by a number that is another one
 * in each run, and the same for the surface within it.
 *
 * A component has no imports, at most 64 KiB of code, and a limited memory and number of instructions; each run starts with
 * a fresh instance.  It is written for one of two ABIs:
 *
 * ABI graphics/full/1: a component keeps whatever state it likes, and answers the calls below.
 *
 * ABI graphics/rank/1: a component is one pure function kn_budget; what it is told of, the bench keeps.
 *
 * A budget below 0, or that is not a number, counts as 0 (start at the next vblank, which misses it), one above the period
 * as the period (start at this one).
 */
#ifndef KN_GRAPHICS_H
#define KN_GRAPHICS_H

#include "kn.h"

#ifndef KN_BENCH /* the bench's own programs call these instead of defining them */

/* --- graphics/full/1 ------------------------------------------------------------------------------------------- */

/*
 * Called once, before all others but kn_param.
 *
 * period  between two vblanks
 * miss    the price of each vblank that is missed, in microseconds of latency, besides the period that it costs
 */
KN_EXPORT("kn_init") void kn_init(u32 period, u32 miss);

/* A frame begins; `refreshes` is how many vblanks came since the one of the frame before, 64 at most. */
KN_EXPORT("kn_vblank") f64 kn_vblank(u32 refreshes);

/* A client has committed `surface`, `at` microseconds after the vblank (0: before it, or nobody knows when). */
KN_EXPORT("kn_commit") f64 kn_commit(u64 surface, u32 at);

/* The frame is done: how long the repaint took, of CPU and GPU together, and how many vblanks it missed. */
KN_EXPORT("kn_done") void kn_done(u32 work, u32 missed);

/* Optional: sets parameter `index`; called before kn_init, and only while a generator searches.  What is published
 * has its parameters built in. */
KN_EXPORT("kn_param") void kn_param(u32 index, f64 value);

/* --- graphics/rank/1 ------------------------------------------------------------------------------------------- */

/*
 * Called once for each frame, when all that changes is known: its budget, here in milliseconds, as all times are.
 *
 * period    between two vblanks
 * last      work of the frame before; that of the first frame is taken to be a period
 * mean      work, smoothed: an eighth of the new one each time
 * dev       mean deviation from that, a quarter of the new one each time (RFC 6298)
 * peak      the most of the last 16 frames
 * rolling   the most, forgetting a fiftieth of what is above the last one each time
 * tail      of the work of frames lately (half of a count is forgotten in 88 frames) 95 % was not more
 * best      with this budget for all of these frames the score would have been lowest
 * usual     mean work of the frames in which just the same surfaces changed; `mean` where there was none
 * spread    mean deviation from that; `dev` where there was none
 * high      as `tail`, of these frames
 * fitting   as `best`, of these frames, and as many as 4 of all others beside them
 * seen      number of these frames, 64 at most
 * sum       work by surface: a share for the frame and one for each surface that changed, learned by least mean squares
 * changed   number of surfaces that changed
 * fresh     number of them that didn't in the frame before
 * idle      vblanks since the frame before, 1 to 64
 * since     frames since one missed its vblank, 256 at most
 * late      time from the vblank to the last commit
 */
KN_EXPORT("kn_budget")
f64 kn_budget(f64 period, f64 last, f64 mean, f64 dev, f64 peak, f64 rolling, f64 tail, f64 best, f64 usual, f64 spread,
              f64 high, f64 fitting, f64 seen, f64 sum, f64 changed, f64 fresh, f64 idle, f64 since, f64 late);

#endif

#endif
