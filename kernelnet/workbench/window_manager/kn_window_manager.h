/*
 * Pointer prediction: where a mouse, a pen or a finger will be when the frame that is drawn now is seen.
 *
 * Devices report samples of the pointer's place, at times of their own.  At each frame all samples so far are known; the
 * frame is seen some time later, and what it shows at the newest sample's place lags behind the hand.  So a component is asked
 * for the place at that later time.  It counts how far its answer is from where the pointer then was: on the straight
 * line between the two samples around that time.  Asked is only at frames at which the pointer was seen to move, and is
 * followed without a gap until it is seen again.
 *
 * Times are whole microseconds, places are pixels with a fraction; all are differences, and nothing that counts up is told, so
 * that nobody knows by it where in a recorded movement he is.  A pause of more than 200 ms counts as 200 ms.
 *
 * A component has no imports, at most 64 KiB of code, and a limited memory and number of instructions; each run starts with
 * a fresh instance.  It is written for one of two ABIs:
 *
 * ABI window_manager/full/1: a component keeps whatever state it likes, and answers
 *
 *     before all others                  kn_init()
 *     another sample came                kn_sample(elapsed, dx, dy)
 *     a frame is drawn                   kn_x(age, ahead) and kn_y(age, ahead)     -> pixels from the newest sample
 *
 * ABI window_manager/rank/1: a component is one pure function kn_move, asked for each of the two axes in turn; what it is told
 * of, the bench keeps.
 *
 * An answer that is not a number counts as 0, which is to stay at the newest sample; one beyond 100000 pixels as that many.
 */
#ifndef KN_WINDOW_MANAGER_H
#define KN_WINDOW_MANAGER_H

#include "kn.h"

#define KN_REST 200000u /* microseconds: the longest pause that is told */

#ifndef KN_BENCH /* the bench's own programs call these instead of defining them */

/* --- window_manager/full/1 ---------------------------------------------------------------------------------- */

/* Called once, before all others but kn_param. */
KN_EXPORT("kn_init") void kn_init(void);

/*
 * Another sample came.
 *
 * elapsed  microseconds since the sample before; KN_REST after a pause, and for the first one
 * dx, dy   how far the pointer moved since the sample before, right and down
 */
KN_EXPORT("kn_sample") void kn_sample(u32 elapsed, f64 dx, f64 dy);

/*
 * A frame is drawn: how far right, and how far down, of the newest sample will the pointer be?  kn_x is called first, then kn_y with
 * the same arguments.
 *
 * age    microseconds since the newest sample; at most 18000
 * ahead  microseconds from the newest sample to the time that is asked for: `age`, and how far ahead frames are seen, which
 *        is the same throughout a run
 */
KN_EXPORT("kn_x") f64 kn_x(u32 age, u32 ahead);
KN_EXPORT("kn_y") f64 kn_y(u32 age, u32 ahead);

/* Optional: sets parameter `index`; called before kn_init, and only while a generator searches.  What is published
 * has its parameters built in. */
KN_EXPORT("kn_param") void kn_param(u32 index, f64 value);

/* --- window_manager/rank/1 ------------------------------------------------------------------------------------ */

/*
 * Called for each axis at each frame: by how many pixels the pointer will have moved along it from the newest sample.  Velocities
 * are in pixels a millisecond, times in milliseconds.
 *
 * v1, v2, v3, v4  velocity along this axis between the newest sample and the one before, between that and the one before it,
 *                 and so on
 * mean            velocity along this axis over the last samples of 50 ms, or over the last two
 * fit             slope of the straight line through the last four samples (least squares)
 * ahead           from the newest sample to the time that is asked for
 * age             since the newest sample
 * gap             between the newest sample and the one before; at most 200
 * before          between that and the one before it; at most 200
 * speed           length of the velocity whose part is v1
 * slower          the same of v2
 * pace            the same of `mean`
 * turn            cosine of the angle between the last two movements: 1 straight on, -1 back; 0 if one of them was none
 * kept            share of its velocity that the pointer lately kept from one sample to the next: the sum of products of
 *                 successive velocities over that of their squares, older ones counting an eighth less each time
 */
KN_EXPORT("kn_move")
f64 kn_move(f64 v1, f64 v2, f64 v3, f64 v4, f64 mean, f64 fit, f64 ahead, f64 age, f64 gap, f64 before, f64 speed,
            f64 slower, f64 pace, f64 turn, f64 kept);

#endif

#endif
