/*
 * Adaptive playout delay: how long a jitter buffer keeps voice back before it plays it.
 *
 * A sender sends a frame of voice each 20 ms: frame i at 20 i ms.  On the way it takes its transit, in microseconds above the
 * least of the whole trace, or it is lost.  Frame i is played at 20 i + d ms, where d, its delay, is a whole number of ms from 0
 * to 599; it is late, and cannot be played, where its transit is more than 1000 d.  When a frame is played, the component is told of
 * all that has come by then, and asked for the delay of the next one.  Voice can be played somewhat faster or slower (time
 * scaling): from one frame to the next the delay shrinks by at most down_ms and grows by at most up_ms; what goes beyond that
 * is cut.  The first frame follows a delay of 60 ms.
 *
 * A frame costs its delay, more where the delay is long; 2 for each ms by which the delay changed; and 14600 if it is late.  A
 * frame that is lost, or whose transit is more than 599 ms, costs nothing: no delay would have played it.
 *
 * Nothing that counts up is told, so that nobody knows by it where in a recorded trace he is: a component that wants a clock
 * counts calls of kn_target, one each frame.
 *
 * A component has no imports, at most 64 KiB of code, and a limited memory and number of instructions; each run starts with
 * a fresh instance.  It is written for one of two ABIs:
 *
 * ABI audio/full/1: a component keeps whatever state it likes, and answers
 *
 *     the call begins                         kn_init(late_ms, scale_cost, down_ms, up_ms, base_ms)
 *     a frame has come                        kn_arrive(ahead, transit)
 *     a frame is played: what of the next?    kn_target(delay)                        -> delay of the next, in ms
 *
 * ABI audio/rank/1: a component is one pure function kn_delay; what it is told of, the bench keeps.
 *
 * What is answered is rounded up to whole ms; what is not above 0, or no number, counts as 0, and what is above 599 as 599.
 */
#ifndef KN_AUDIO_H
#define KN_AUDIO_H

#include "kn.h"

#define KN_FRAME_MS 20
#define KN_FIRST_DELAY 60u /* of the frame before the first, ms */
#define KN_MOST_DELAY 599u

#ifndef KN_BENCH /* the bench's own programs call these instead of defining them */

/* --- audio/full/1 ---------------------------------------------------------------------------------------------- */

/*
 * Called once, before all others but kn_param, with what the scenario's settings are.
 *
 * late_ms     cost of a frame that is late, in ms of delay
 * scale_cost  cost of each ms by which the delay changes
 * down_ms     most by which it may shrink from one frame to the next, and up_ms: grow
 * base_ms     what voice takes besides the delay: a delay of more than 177 - base_ms costs 110/24 ms for each ms beyond it,
 *             and the one that each ms costs
 */
KN_EXPORT("kn_init") void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms);

/*
 * A frame has come; called in the order in which they come.
 *
 * ahead    its number less that of the frame whose delay is asked for next: 0 for that frame itself, 1 for the one behind it,
 *          -1 for the one that is played now, which came in time to the last moment; less: it was late
 * transit  microseconds on the way, above the least of the trace
 */
KN_EXPORT("kn_arrive") void kn_arrive(i32 ahead, u32 transit);

/* The delay of the next frame, in ms; `delay` is that of the frame that is played now. */
KN_EXPORT("kn_target") f64 kn_target(u32 delay);

/* Optional: sets parameter `index`; called before kn_init, and only while a generator searches.  What is published
 * has its parameters built in. */
KN_EXPORT("kn_param") void kn_param(u32 index, f64 value);

/* --- audio/rank/1 ---------------------------------------------------------------------------------------------- */

/*
 * The delay of the next frame, in ms.  All times are in ms; all is 0 before the first frame has come, but current.
 *
 * last       transit of the frame that came last
 * mean       transit smoothed: a 32nd of the new one each time
 * dev        mean deviation from it, smoothed alike
 * q95        transit that 95 % of the last 500 frames did not exceed, rounded up to whole ms, at most 599
 * q99        the same for 99 %
 * peak       greatest transit; it falls towards mean by a 256th of the distance with each frame that comes
 * trend      last less the transit of the frame that came five before it
 * sincelate  frames since the last one that was late; counted from the start where none was, to 10000 at most
 * fill       frames between the one that is played now and the newest that has come; below 0: even the former is not here
 * current    delay of the frame that is played now
 */
KN_EXPORT("kn_delay")
f64 kn_delay(f64 last, f64 mean, f64 dev, f64 q95, f64 q99, f64 peak, f64 trend, f64 sincelate, f64 fill, f64 current);

#endif

#endif
