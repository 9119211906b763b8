#pragma once

// Marks for functions compiled for an instruction set of their own inside an otherwise portable
// file. A lambda does not inherit its function's target, so such functions use none.
#if defined(__x86_64__)
#define SLUICE_HAVE_AVX2 1
#define SLUICE_AVX2 __attribute__((target("avx2,fma")))
#define SLUICE_AVX2_INLINE __attribute__((target("avx2,fma"), always_inline)) inline
#else
#define SLUICE_HAVE_AVX2 0
#endif
