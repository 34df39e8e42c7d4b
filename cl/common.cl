// Shared by every program, always its first file. The host gives
//   RHEO_CPU    1 on CPUs: kernels run one work-item a group and use explicit vectors; 0: SIMT
//   VEC         floats in the device's native vector: 1, 4, 8 or 16
//   RHEO_FAST_FMA   where fma() is one instruction although the compiler does not say so; RHEO_SLOW_FMA where it is not
//   RHEO_PREFETCH   where __builtin_prefetch is understood if it is there: drivers that go through SPIR-V end in an error
//   GROUP       SIMT: work-items of a group whose kernel shares local memory, 256 or 64

#ifndef RHEO_CPU
#define RHEO_CPU 0
#endif
#ifndef VEC
#define VEC 1
#endif
#ifndef GROUP
#define GROUP 256
#endif

// for (int i = each of [0, n)), shared among the work-items of dimension 0, n <= 2^30. On a CPU each work-item takes
// one contiguous chunk, so that the loop vectorises and streams; elsewhere neighbours take neighbouring items, so that
// loads coalesce. `break` and `continue` work as in any loop; a barrier inside does not.
#if RHEO_CPU
#define FOR_ITEMS(i, n)                                                                                       \
    for (int i##_chunk = ((n) + (int)get_global_size(0) - 1) / (int)get_global_size(0),                       \
             i = (int)get_global_id(0) * i##_chunk, i##_end = min(i + i##_chunk, (int)(n)); i < i##_end; ++i)
#else
#define FOR_ITEMS(i, n) for (int i = (int)get_global_id(0); i < (int)(n); i += (int)get_global_size(0))
#endif

// a b + c in one instruction where there is one; where there is not, fma() is emulated and hundreds of times slower.
#if (defined(FP_FAST_FMAF) || defined(RHEO_FAST_FMA)) && !defined(RHEO_SLOW_FMA)
#define RHEO_FMA(a, b, c) fma(a, b, c)
#else
#define RHEO_FMA(a, b, c) mad(a, b, c)
#endif

// The device's native vector. vloadv(i, p) and vstorev(x, i, p) move VEC elements at p + i VEC, which need no
// alignment beyond an element's. Comparisons give 1 (scalars) or -1 (vectors): feed them to select() only, which
// takes both.
#define RHEO_PASTE_(a, b) a##b
#define RHEO_PASTE(a, b) RHEO_PASTE_(a, b)
#if VEC == 1
typedef float floatv;
typedef int intv;
typedef uint uintv;
#define vloadv(i, p) ((p)[i])
#define vstorev(x, i, p) ((p)[i] = (x))
#define convert_floatv(x) convert_float(x)
#define convert_intv(x) convert_int(x)
#define convert_uintv(x) convert_uint(x)
#define as_floatv(x) as_float(x)
#define as_intv(x) as_int(x)
#define as_uintv(x) as_uint(x)
#else
typedef RHEO_PASTE(float, VEC) floatv;
typedef RHEO_PASTE(int, VEC) intv;
typedef RHEO_PASTE(uint, VEC) uintv;
#define vloadv(i, p) RHEO_PASTE(vload, VEC)(i, p)
#define vstorev(x, i, p) RHEO_PASTE(vstore, VEC)(x, i, p)
#define convert_floatv(x) RHEO_PASTE(convert_float, VEC)(x)
#define convert_intv(x) RHEO_PASTE(convert_int, VEC)(x)
#define convert_uintv(x) RHEO_PASTE(convert_uint, VEC)(x)
#define as_floatv(x) RHEO_PASTE(as_float, VEC)(x)
#define as_intv(x) RHEO_PASTE(as_int, VEC)(x)
#define as_uintv(x) RHEO_PASTE(as_uint, VEC)(x)
#endif

// Sum of a vector's elements in a fixed order: halves first.
#if VEC == 1
static float sumv(floatv x) { return x; }
#elif VEC == 4
static float sumv(floatv x) { return (x.s0 + x.s2) + (x.s1 + x.s3); }
#elif VEC == 8
static float sumv(floatv x)
{
    const float4 h = x.lo + x.hi;
    return (h.s0 + h.s2) + (h.s1 + h.s3);
}
#else
static float sumv(floatv x)
{
    const float8 g = x.lo + x.hi;
    const float4 h = g.lo + g.hi;
    return (h.s0 + h.s2) + (h.s1 + h.s3);
}
#endif
