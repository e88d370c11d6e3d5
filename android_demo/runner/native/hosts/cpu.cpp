// What the CPU has, asked without a C library.
#include "host.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "../kernels/kernels.h"

namespace {

#ifdef HAS_AMX
// Whether the operating system lets this process use AMX's registers, which are 8 KB of every thread's state.
bool may_use_tiles() {
  constexpr long ARCH_PRCTL = 158, ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18;
  long result;  // Not by a C library: some hosts have none.
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(ARCH_PRCTL), "D"(ARCH_REQ_XCOMP_PERM), "S"(XTILEDATA)
                   : "rcx", "r11", "memory");
  return result == 0;
}
#endif

}  // namespace

uint64_t cpu_features() {
  uint64_t features = 0;
#if defined(__x86_64__)
  // Asked by hand: __builtin_cpu_supports says no to everything where zig's own library stands in for libgcc.
  uint32_t a, b, c, d, state = 0;
  constexpr uint32_t FMA = 1u << 12, OSXSAVE = 1u << 27, YMM = 6, ZMM = 0xe6, AVX2 = 1u << 5;
  constexpr uint32_t AVX512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
  constexpr uint32_t VNNI_VPOPCNTDQ = 1u << 11 | 1u << 14;
  if (__get_cpuid(1, &a, &b, &c, &d) && (c & OSXSAVE)) __asm__("xgetbv" : "=a"(state), "=d"(d) : "c"(0));
  const bool has_fma = (c & FMA) && (state & YMM) == YMM;  // The operating system saves those registers.
  if (has_fma && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & AVX2)) {
    features |= runner::CPU_AVX2;
    const bool has_all = (b & AVX512) == AVX512 && (c & VNNI_VPOPCNTDQ) == VNNI_VPOPCNTDQ;
    if (has_all && (state & ZMM) == ZMM) features |= runner::CPU_AVX512;
#ifdef HAS_AMX
    constexpr uint32_t TILE_INT8 = 1u << 24 | 1u << 25, TILES = 3u << 17;
    const bool has_tiles = (d & TILE_INT8) == TILE_INT8 && (state & TILES) == TILES;
    if (has_tiles && may_use_tiles()) features |= runner::CPU_AMX;
#endif
  }
#elif defined(__aarch64__)
  features |= runner::CPU_NEON;  // Part of every ARMv8.0.
#endif
  return features;
}
