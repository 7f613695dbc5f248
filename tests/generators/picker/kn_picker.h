/* A bench as a third party might write it: two jobs wait, and the one of the lower rank is done first. */
#ifndef KN_PICKER_H
#define KN_PICKER_H

#include "kn.h"

#ifndef KN_BENCH
KN_EXPORT("kn_rank") f64 kn_rank(f64 length, f64 waited, f64 noise);
#endif

#endif
