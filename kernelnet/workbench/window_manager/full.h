/* The driver's half of the ABI window_manager/full/1: hands all on. */

KN_POLICY("kn_init") extern void kn_init(void);
KN_POLICY("kn_sample") extern void kn_sample(u32 elapsed, f64 dx, f64 dy);
KN_POLICY("kn_x") extern f64 kn_x(u32 age, u32 ahead);
KN_POLICY("kn_y") extern f64 kn_y(u32 age, u32 ahead);

static void pointer_starts(void) { kn_init(); }

static void pointer_moved(u32 elapsed, f64 dx, f64 dy) { kn_sample(elapsed, dx, dy); }

static void pointer_asked(u32 age, u32 ahead, f64 *x, f64 *y) {
    *x = kn_x(age, ahead);
    *y = kn_y(age, ahead);
}
