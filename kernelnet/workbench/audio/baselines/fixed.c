/* A fixed delay: the simplest of jitter buffers, and what telephones without an adaptive one have. */
#include "kn_audio.h"

#define DELAY 60.0 /* ms */

void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {}
void kn_arrive(i32 ahead, u32 transit) {}
f64 kn_target(u32 delay) { return DELAY; }
