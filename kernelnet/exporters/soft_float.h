/*
 * Numbers with a point by whole numbers alone (IEEE 754 binary64 and binary32, to nearest, ties to even), for a processor
 * without them such as BPF's: subnormals are kept, and what is no number has the one pattern of the sandbox's engine.
 *
 * A number in the making is (-1)^sign * m * 2^e with the leading bit of m at 62; what was shifted out below is remembered in
 * m's lowest bit ("sticky"), so that rounding once at the end is right (Hauser's SoftFloat works so).  binary32 is worked out in
 * binary64 and rounded once more, which gives the same: 53 >= 2 * 24 + 2 (Figueroa, When is double rounding innocuous?,
 * SIGNUM Newsletter 30(3), 1995); where the result is subnormal too, as a quotient or product of numbers of 24 bits is never
 * nearer than 2^-48 of itself to a tie that it isn't.
 *
 * Branches are few, and a root has none: BPF's verifier follows each of them.
 */
#ifndef KN_SOFT_FLOAT_H
#define KN_SOFT_FLOAT_H

#define KN_SIGN 0x8000000000000000ull
#define KN_INFINITY 0x7ff0000000000000ull
#define KN_NAN 0x7ff8000000000000ull
#define KN_HIDDEN 0x0010000000000000ull
#define KN_FRACTION 0x000fffffffffffffull
#define KN_SIGN32 0x80000000u
#define KN_INFINITY32 0x7f800000u
#define KN_NAN32 0x7fc00000u

KN_INSIDE u64 kn_magnitude(f64 a) { return a & ~KN_SIGN; }
KN_INSIDE u32 kn_isNan(f64 a) { return kn_magnitude(a) > KN_INFINITY; }

/* To the right, with the sticky bit. */
KN_INSIDE u64 kn_sticky(u64 m, u64 by) {
    u64 shift = by & 63;
    if (by > 62) return m != 0;
    return m >> shift | ((m & ((1ull << shift) - 1)) != 0);
}

/* Biased exponent e; below 1 the result is subnormal. */
KN_INSIDE u64 kn_round(u64 sign, i64 e, u64 m) {
    u64 bits;
    if (e > 2046) return sign | KN_INFINITY;
    if (e < 1) {
        m = kn_sticky(m, (u64)(1 - e));
        e = 1;
        bits = (m + 0x1ff + (m >> 10 & 1)) >> 10;
        return sign | bits;
    }
    /* The hidden bit adds 1 to the exponent, and so does a carry. */
    bits = ((u64)(e - 1) << 52) + ((m + 0x1ff + (m >> 10 & 1)) >> 10);
    return sign | bits;
}

KN_INSIDE u32 kn_round32(u32 sign, i64 e, u64 m) {
    if (e > 254) return sign | KN_INFINITY32;
    if (e < 1) {
        m = kn_sticky(m, (u64)(1 - e));
        return sign | (u32)((m + 0x3fffffffffull + (m >> 39 & 1)) >> 39);
    }
    return sign | (((u32)(e - 1) << 23) + (u32)((m + 0x3fffffffffull + (m >> 39 & 1)) >> 39));
}

/* The significand of a number that isn't 0, with its leading bit at 52, and in *e its exponent. */
KN_INSIDE u64 kn_significand(u64 a, i64 *e) {
    u64 m = a & KN_FRACTION, exponent = a >> 52 & 2047, shift;
    if (exponent) {
        *e = (i64)exponent;
        return m | KN_HIDDEN;
    }
    shift = kn_above(m) - 11;
    *e = 1 - (i64)shift;
    return m << (shift & 63);
}

/* --- binary64 --- */

KN_SOFT f64 kn_add64(f64 a, f64 b) {
    u64 larger = kn_magnitude(a) < kn_magnitude(b) ? b : a, smaller = a ^ b ^ larger, ma, mb, m, zeros;
    i64 ea = (i64)(larger >> 52 & 2047), eb = (i64)(smaller >> 52 & 2047);
    if (ea == 2047) {
        if (larger & KN_FRACTION) return KN_NAN;
        return eb == 2047 && ((larger ^ smaller) & KN_SIGN) ? KN_NAN : larger;
    }
    ma = (larger & KN_FRACTION) | (ea ? KN_HIDDEN : 0);
    mb = (smaller & KN_FRACTION) | (eb ? KN_HIDDEN : 0);
    ea += !ea;
    eb += !eb;
    ma <<= 9;
    mb = kn_sticky(mb << 9, (u64)(ea - eb));
    m = (larger ^ smaller) & KN_SIGN ? ma - mb : ma + mb;
    if (!m) return larger & smaller & KN_SIGN;
    zeros = kn_above(m);
    m = zeros ? m << ((zeros - 1) & 63) : kn_sticky(m, 1);
    return kn_round(larger & KN_SIGN, ea + 2 - (i64)zeros, m);
}

KN_INSIDE f64 kn_sub64(f64 a, f64 b) { return kn_isNan(b) ? KN_NAN : kn_add64(a, b ^ KN_SIGN); }

KN_SOFT f64 kn_mul64(f64 a, f64 b) {
    u64 sign = (a ^ b) & KN_SIGN, x, y, low, middle, high;
    i64 ea, eb, e;
    a = kn_magnitude(a);
    b = kn_magnitude(b);
    if (a >= KN_INFINITY || b >= KN_INFINITY)
        return a > KN_INFINITY || b > KN_INFINITY || !a || !b ? KN_NAN : sign | KN_INFINITY;
    if (!a || !b) return sign;
    x = kn_significand(a, &ea) << 11;
    y = kn_significand(b, &eb) << 11;
    low = (x & 0xffffffff) * (y & 0xffffffff);
    middle = (x >> 32) * (y & 0xffffffff) + (low >> 32);
    high = (x >> 32) * (y >> 32) + (middle >> 32);
    middle = (x & 0xffffffff) * (y >> 32) + (middle & 0xffffffff);
    high += middle >> 32;
    low = middle << 32 | (low & 0xffffffff);
    /* The product's leading bit is at 63 or 62 of its upper half. */
    e = ea + eb - 1023;
    if (high >> 63) {
        low |= high & 1;
        high >>= 1;
        e++;
    }
    return kn_round(sign, e, high | (low != 0));
}

KN_SOFT f64 kn_div64(f64 a, f64 b) {
    u64 sign = (a ^ b) & KN_SIGN, rest, y, q;
    i64 ea, eb, e;
    a = kn_magnitude(a);
    b = kn_magnitude(b);
    if (a > KN_INFINITY || b > KN_INFINITY) return KN_NAN;
    if (a == KN_INFINITY) return b == KN_INFINITY ? KN_NAN : sign | KN_INFINITY;
    if (b == KN_INFINITY) return sign;
    if (!b) return a ? sign | KN_INFINITY : KN_NAN;
    if (!a) return sign;
    rest = kn_significand(a, &ea);
    y = kn_significand(b, &eb);
    e = ea - eb + 1023;
    if (rest < y) {
        rest <<= 1;
        e--;
    }
    /* The quotient is at least 1 and below 2: its bits, ten at a time. */
    rest -= y;
    rest <<= 10; q = 1024 + rest / y; rest %= y;
    rest <<= 10; q = q << 10 | rest / y; rest %= y;
    rest <<= 10; q = q << 10 | rest / y; rest %= y;
    rest <<= 10; q = q << 10 | rest / y; rest %= y;
    rest <<= 10; q = q << 10 | rest / y; rest %= y;
    rest <<= 10; q = q << 10 | rest / y; rest %= y;
    return kn_round(sign, e, q << 2 | (rest != 0));
}

KN_SOFT f64 kn_sqrt64(f64 a) {
    u64 m, root = 0, rest = 0, bit, lacks;
    i64 e;
    u32 i;
    if (!kn_magnitude(a)) return a;
    if (a > KN_INFINITY) return KN_NAN; /* below 0 too, by its sign */
    if (a == KN_INFINITY) return a;
    m = kn_significand(a, &e);
    e -= 1023;
    if (e & 1) {
        m <<= 1;
        e--;
    }
    /* 55 bits of the root, two bits of m for each: first its own 54, then zeros. */
    m <<= 10;
    for (i = 0; i < 55; i++) {
        rest = rest << 2 | m >> 62;
        m <<= 2;
        bit = root << 2 | 1;
        lacks = (rest - bit) >> 63;
        KN_OPAQUE(lacks);
        rest -= bit & (lacks - 1);
        root = root << 1 | (lacks ^ 1);
    }
    return kn_round(0, (i64)((u64)(e + 2046) >> 1), root << 8 | (rest != 0));
}

KN_SOFT u32 kn_lt64(f64 a, f64 b) {
    if (kn_isNan(a) || kn_isNan(b) || !kn_magnitude(a | b)) return 0;
    if ((a ^ b) & KN_SIGN) return (u32)(a >> 63);
    return a >> 63 ? a > b : a < b;
}
KN_INSIDE u32 kn_eq64(f64 a, f64 b) { return !kn_isNan(a) && !kn_isNan(b) && (a == b || !kn_magnitude(a | b)); }
KN_INSIDE u32 kn_ne64(f64 a, f64 b) { return !kn_eq64(a, b); }
KN_INSIDE u32 kn_gt64(f64 a, f64 b) { return kn_lt64(b, a); }
KN_SOFT u32 kn_le64(f64 a, f64 b) { return !kn_isNan(a) && !kn_isNan(b) && !kn_lt64(b, a); }
KN_INSIDE u32 kn_ge64(f64 a, f64 b) { return kn_le64(b, a); }

KN_SOFT f64 kn_min64(f64 a, f64 b) {
    if (kn_isNan(a) || kn_isNan(b)) return KN_NAN;
    if (!kn_magnitude(a | b)) return a | b;
    return kn_lt64(a, b) ? a : b;
}
KN_SOFT f64 kn_max64(f64 a, f64 b) {
    if (kn_isNan(a) || kn_isNan(b)) return KN_NAN;
    if (!kn_magnitude(a | b)) return a & b;
    return kn_lt64(a, b) ? b : a;
}

KN_INSIDE f64 kn_abs64(f64 a) { return kn_magnitude(a); }
KN_INSIDE f64 kn_neg64(f64 a) { return a ^ KN_SIGN; }
KN_INSIDE f64 kn_copysign64(f64 a, f64 b) { return kn_magnitude(a) | (b & KN_SIGN); }

KN_SOFT f64 kn_trunc64(f64 a) {
    u64 e = a >> 52 & 2047;
    if (kn_isNan(a)) return KN_NAN;
    if (e > 1074) return a;
    if (e < 1023) return a & KN_SIGN;
    return a & ~((1ull << ((1075 - e) & 63)) - 1);
}
KN_SOFT f64 kn_floor64(f64 a) {
    f64 whole = kn_trunc64(a);
    return a >> 63 && whole != a && !kn_isNan(a) ? kn_add64(whole, 0xbff0000000000000ull) : whole;
}
KN_SOFT f64 kn_ceil64(f64 a) {
    f64 whole = kn_trunc64(a);
    return !(a >> 63) && whole != a && !kn_isNan(a) ? kn_add64(whole, 0x3ff0000000000000ull) : whole;
}
/* Beyond 2^52 there are whole numbers alone: adding it rounds. */
KN_SOFT f64 kn_nearest64(f64 a) {
    if (kn_isNan(a)) return KN_NAN;
    if ((a >> 52 & 2047) > 1074) return a;
    return kn_add64(kn_add64(kn_magnitude(a), 0x4330000000000000ull), 0xc330000000000000ull) | (a & KN_SIGN);
}

/* --- from whole numbers, and to them --- */

KN_SOFT f64 kn_convert_f64_i64_u(u64 a) {
    u64 zeros = kn_above(a);
    return a ? kn_round(0, 1086 - (i64)zeros, kn_sticky(a << (zeros & 63), 1)) : 0;
}
KN_INSIDE f64 kn_convert_f64_i64_s(u64 a) {
    return kn_convert_f64_i64_u(a >> 63 ? -a : a) | (a & KN_SIGN);
}
KN_INSIDE f64 kn_convert_f64_i32_u(u32 a) { return kn_convert_f64_i64_u(a); }
KN_INSIDE f64 kn_convert_f64_i32_s(u32 a) { return kn_convert_f64_i64_s((u64)(i64)(i32)a); }

KN_SOFT f32 kn_convert_f32_i64_u(u64 a) {
    u64 zeros = kn_above(a);
    return a ? kn_round32(0, 190 - (i64)zeros, kn_sticky(a << (zeros & 63), 1)) : 0;
}
KN_INSIDE f32 kn_convert_f32_i64_s(u64 a) {
    return kn_convert_f32_i64_u(a >> 63 ? -a : a) | (a >> 63 ? KN_SIGN32 : 0);
}
KN_INSIDE f32 kn_convert_f32_i32_u(u32 a) { return kn_convert_f32_i64_u(a); }
KN_INSIDE f32 kn_convert_f32_i32_s(u32 a) { return kn_convert_f32_i64_s((u64)(i64)(i32)a); }

KN_SOFT u64 kn_sat_i64_f64_u(f64 a) {
    u64 e = a >> 52 & 2047;
    if (a >> 63 || e < 1023 || kn_isNan(a)) return 0;
    if (e > 1086) return ~0ull;
    return ((a & KN_FRACTION) | KN_HIDDEN) << 11 >> ((1086 - e) & 63);
}
KN_SOFT u64 kn_sat_i64_f64_s(f64 a) {
    u64 size = kn_sat_i64_f64_u(kn_magnitude(a));
    if (size >> 63) return a >> 63 ? KN_SIGN : ~KN_SIGN;
    return a >> 63 ? -size : size;
}
KN_SOFT u32 kn_sat_i32_f64_u(f64 a) {
    u64 whole = kn_sat_i64_f64_u(a);
    return whole >> 32 ? 0xffffffffu : (u32)whole;
}
KN_SOFT u32 kn_sat_i32_f64_s(f64 a) {
    i64 whole = (i64)kn_sat_i64_f64_s(a);
    return whole > 0x7fffffff ? 0x7fffffffu : whole < -0x80000000ll ? 0x80000000u : (u32)whole;
}

/* Whether it fits, by what the next wider conversion gives. */
KN_INSIDE u32 kn_trunc_i32_f64_s(component *m, f64 a) {
    u64 whole = kn_sat_i64_f64_s(a);
    if (kn_isNan(a)) kn_fault(m, KN_BAD_CONVERSION);
    else if ((whole + 0x80000000ull) >> 32) kn_fault(m, KN_INTEGER_OVERFLOW);
    return (u32)whole;
}
KN_INSIDE u32 kn_trunc_i32_f64_u(component *m, f64 a) {
    u64 whole = kn_sat_i64_f64_s(a);
    if (kn_isNan(a)) kn_fault(m, KN_BAD_CONVERSION);
    else if (whole >> 32) kn_fault(m, KN_INTEGER_OVERFLOW);
    return (u32)whole;
}
KN_INSIDE u64 kn_trunc_i64_f64_s(component *m, f64 a) {
    if (kn_isNan(a)) kn_fault(m, KN_BAD_CONVERSION);
    else if (kn_magnitude(a) >= 0x43e0000000000000ull && a != 0xc3e0000000000000ull) kn_fault(m, KN_INTEGER_OVERFLOW);
    return kn_sat_i64_f64_s(a);
}
KN_INSIDE u64 kn_trunc_i64_f64_u(component *m, f64 a) {
    if (kn_isNan(a)) kn_fault(m, KN_BAD_CONVERSION);
    else if (kn_magnitude(a) >= (a >> 63 ? 0x3ff0000000000000ull : 0x43f0000000000000ull))
        kn_fault(m, KN_INTEGER_OVERFLOW);
    return kn_sat_i64_f64_u(a);
}

/* --- binary32 --- */

KN_SOFT f64 kn_promote(f32 a) {
    u64 sign = (u64)(a & KN_SIGN32) << 32, m = a & 0x7fffffu, e = a >> 23 & 255, zeros;
    if (e == 255) return m ? KN_NAN : sign | KN_INFINITY;
    if (e) return sign | ((e + 896) << 52 | m << 29);
    if (!m) return sign;
    zeros = kn_above(m);
    return sign | (((937 - zeros) << 52) + ((m << (zeros & 63)) >> 11 & KN_FRACTION));
}
KN_SOFT f32 kn_demote(f64 a) {
    u32 sign = (u32)(a >> 32) & KN_SIGN32;
    i64 e;
    u64 m;
    a = kn_magnitude(a);
    if (a > KN_INFINITY) return KN_NAN32;
    if (!a) return sign;
    m = kn_significand(a, &e);
    return kn_round32(sign, e - 896, m << 10);
}

#define KN_BY_64(name) \
    KN_SOFT f32 kn_##name##32(f32 a, f32 b) { return kn_demote(kn_##name##64(kn_promote(a), kn_promote(b))); }
KN_BY_64(add)
KN_BY_64(sub)
KN_BY_64(mul)
KN_BY_64(div)
KN_BY_64(min)
KN_BY_64(max)
#define KN_COMPARED_BY_64(name) \
    KN_INSIDE u32 kn_##name##32(f32 a, f32 b) { return kn_##name##64(kn_promote(a), kn_promote(b)); }
KN_COMPARED_BY_64(eq)
KN_COMPARED_BY_64(ne)
KN_COMPARED_BY_64(lt)
KN_COMPARED_BY_64(gt)
KN_COMPARED_BY_64(le)
KN_COMPARED_BY_64(ge)
#define KN_ONE_BY_64(name) \
    KN_SOFT f32 kn_##name##32(f32 a) { return kn_demote(kn_##name##64(kn_promote(a))); }
KN_ONE_BY_64(sqrt)
KN_ONE_BY_64(ceil)
KN_ONE_BY_64(floor)
KN_ONE_BY_64(trunc)
KN_ONE_BY_64(nearest)
KN_INSIDE f32 kn_abs32(f32 a) { return a & ~KN_SIGN32; }
KN_INSIDE f32 kn_neg32(f32 a) { return a ^ KN_SIGN32; }
KN_INSIDE f32 kn_copysign32(f32 a, f32 b) { return (a & ~KN_SIGN32) | (b & KN_SIGN32); }

KN_INSIDE u32 kn_sat_i32_f32_s(f32 a) { return kn_sat_i32_f64_s(kn_promote(a)); }
KN_INSIDE u32 kn_sat_i32_f32_u(f32 a) { return kn_sat_i32_f64_u(kn_promote(a)); }
KN_INSIDE u64 kn_sat_i64_f32_s(f32 a) { return kn_sat_i64_f64_s(kn_promote(a)); }
KN_INSIDE u64 kn_sat_i64_f32_u(f32 a) { return kn_sat_i64_f64_u(kn_promote(a)); }
KN_INSIDE u32 kn_trunc_i32_f32_s(component *m, f32 a) { return kn_trunc_i32_f64_s(m, kn_promote(a)); }
KN_INSIDE u32 kn_trunc_i32_f32_u(component *m, f32 a) { return kn_trunc_i32_f64_u(m, kn_promote(a)); }
KN_INSIDE u64 kn_trunc_i64_f32_s(component *m, f32 a) { return kn_trunc_i64_f64_s(m, kn_promote(a)); }
KN_INSIDE u64 kn_trunc_i64_f32_u(component *m, f32 a) { return kn_trunc_i64_f64_u(m, kn_promote(a)); }

KN_INSIDE u32 kn_bits32(f32 a) { return a; }
KN_INSIDE u64 kn_bits64(f64 a) { return a; }
KN_INSIDE f32 kn_f32(u32 bits) { return bits; }
KN_INSIDE f64 kn_f64(u64 bits) { return bits; }

#endif
