/*
 * Congestion control: how many packets a sender may have on their way.
 *
 * A flow sends packets of 1500 bytes, as many as it may, to a receiver that acknowledges each at once.  On the way they wait
 * in a queue for the link, which takes one at each delivery opportunity of the trace; a packet that finds the queue
 * full is dropped, and some are lost by chance.  Nothing overtakes: an acknowledgement shows that all earlier packets
 * that aren't acknowledged are lost.  What is lost is not sent again: the flow never ends, and only counts packets.
 *
 * Times are whole milliseconds, windows are packets, rates are packets a millisecond.  Each flow has an instance of the
 * component of its own: flows learn of each other from the link only.  Nothing that counts up is told, so that nobody
 * knows by it where in a recorded link he is: a component that wants a clock adds up what has elapsed.
 *
 * A component has no imports, at most 64 KiB of code, and a limited memory and number of instructions; each run starts with
 * fresh instances.  It is written for one of two ABIs:
 *
 * ABI network_stack/full/2: a component keeps whatever state it likes, and answers
 *
 *     the flow starts                        kn_init()                                              -> window
 *     an acknowledgement shows losses        kn_loss(elapsed, lost, fresh, inflight)                -> window
 *     then, and for any acknowledgement      kn_ack(elapsed, rtt, delivered, inflight, rate)        -> window
 *     no acknowledgement came for long       kn_timeout(elapsed, lost)                              -> window
 *     after each of these                    kn_rate()                                              -> pacing rate
 *
 * `elapsed` is the time since the call before this one, kn_rate not counted; of the first since kn_init.
 *
 * ABI network_stack/rank/1: a component is one pure function kn_window; what it is told of, the bench keeps.
 *
 * A window below 1, or that is not a number, counts as 1, and one above 16384 as 16384.  A pacing rate that is not above 0
 * means none: all that the window lets go goes at once.
 */
#ifndef KN_NETWORK_STACK_H
#define KN_NETWORK_STACK_H

#include "kn.h"

#define KN_FIRST_WINDOW 10.0 /* that of RFC 6928; the rank ABI's flows start with it */

#ifndef KN_BENCH /* the bench's own programs call these instead of defining them */

/* --- network_stack/full/2 ----------------------------------------------------------------------------------- */

/* Called once, before all others but kn_param. */
KN_EXPORT("kn_init") f64 kn_init(void);

/*
 * A packet was acknowledged.
 *
 * rtt        milliseconds since it was sent; never less than 1
 * delivered  how many packets were acknowledged since it was sent, with this one.  Rounds are told apart by it: kn_ack is
 *            called once for each packet, so a component that counts the calls knows that `count - delivered` were
 *            acknowledged when this one was sent
 * inflight   packets that were sent and neither acknowledged nor found lost
 * rate       `delivered` over the time in which they were: the rate at which the path delivered lately
 */
KN_EXPORT("kn_ack") f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate);

/*
 * `lost` packets were found lost by the acknowledgement for which kn_ack is called next.  `fresh` is 1 for the first loss among
 * packets sent after the last fresh one was found, and 0 for others of the same round, for which TCP reduces its window only once
 * (RFC 6582's `recover`).  `inflight` is without them.
 */
KN_EXPORT("kn_loss") f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight);

/* No acknowledgement came in the retransmission timeout of RFC 6298 (at least 200 ms, as in Linux; doubled each time): all
 * `lost` packets on their way count as lost, and inflight is 0.  If some come through nevertheless, kn_ack is called. */
KN_EXPORT("kn_timeout") f64 kn_timeout(u32 elapsed, u32 lost);

/* The rate at which packets leave, at most; 0 for no limit but the window.  */
KN_EXPORT("kn_rate") f64 kn_rate(void);

/* Optional: sets parameter `index`; called before kn_init, and only while a generator searches.  What is published
 * has its parameters built in. */
KN_EXPORT("kn_param") void kn_param(u32 index, f64 value);

/* --- network_stack/rank/1 ------------------------------------------------------------------------------------- */

/*
 * Called for each acknowledgement: the flow's next window.  A timeout makes it 2 without asking.
 *
 * cwnd       the window so far
 * rtt        of the packet acknowledged, milliseconds
 * minrtt     the least rtt of the flow so far
 * srtt       the rtt smoothed: an eighth of the new one each time (RFC 6298)
 * loss       1 if this acknowledgement showed the first loss of a round (`fresh` above), else 0
 * rate       acknowledgements a millisecond in the last whole round; a round lasts srtt.  0 at first
 * maxrate    the largest rate of the last 10 rounds
 * sinceloss  milliseconds since the last fresh loss, timeout, or the start of the flow
 * gap        milliseconds since the acknowledgement before this one
 * least      the least rtt of this round and the one before: what stands in the queue, without the bursts
 */
KN_EXPORT("kn_window")
f64 kn_window(f64 cwnd, f64 rtt, f64 minrtt, f64 srtt, f64 loss, f64 rate, f64 maxrate, f64 sinceloss, f64 gap,
              f64 least);

#endif

#endif
