/* Repaint at the vblank: what Weston did before it had a repaint window, and what sway does as long as max_render_time is off. */
#include "kn_graphics.h"

static f64 period;

void kn_init(u32 period_, u32 miss) { period = period_; }

f64 kn_vblank(u32 refreshes) { return period; }

f64 kn_commit(u64 surface, u32 at) { return period; }

void kn_done(u32 work, u32 missed) {}
