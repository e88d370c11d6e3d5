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

#if defined(__aarch64__) && defined(__linux__)
long call_system(long number, long first, long second, long third) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = first, x1 __asm__("x1") = second, x2 __asm__("x2") = third;
  register long x3 __asm__("x3") = 0;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}

// The first bytes of a file; how many, or less than 1. Not by a C library, either.
long read_file(const char* path, void* to, unsigned long bytes) {
  constexpr long CLOSE = 57, OPENAT = 56, READ = 63, AT_FDCWD = -100, O_CLOEXEC = 02000000;
  const long file = call_system(OPENAT, AT_FDCWD, long(path), O_CLOEXEC);
  if (file < 0) return file;
  const long count = call_system(READ, file, long(to), long(bytes));
  call_system(CLOSE, file, 0, 0);
  return count;
}

// Whether the kernel lets processes use dot products. An app of Android may not read the first file, unless it is being
// debugged; every process may read the second, where each feature is a word.
bool has_dot_products() {
  constexpr uint64_t AT_HWCAP = 16, ASIMDDP = 1u << 20;
  uint64_t entries[64][2];
  const long bytes = read_file("/proc/self/auxv", entries, sizeof entries);
  for (long n = 0; n < bytes / long(sizeof *entries); n++)
    if (entries[n][0] == AT_HWCAP) return entries[n][1] & ASIMDDP;
  constexpr char WORD[] = " asimddp";
  constexpr long LENGTH = sizeof WORD - 1;
  char text[2048];
  const long length = read_file("/proc/cpuinfo", text, sizeof text);
  for (long at = 0; at + LENGTH < length; at++) {
    long same = 0;
    while (same < LENGTH && text[at + same] == WORD[same]) same++;
    if (same == LENGTH && (text[at + same] == ' ' || text[at + same] == '\n')) return true;
  }
  return false;
}

// What a processor is, or 0 where the kernel does not say.
uint64_t processor(unsigned number) {
  char path[64], text[18], *end = path;
  const auto add = [&](const char* part) {
    while (*part) *end++ = *part++;
  };
  const char tens[] = {char('0' + number / 10), 0}, ones[] = {char('0' + number % 10), 0};
  add("/sys/devices/system/cpu/cpu"), add(number < 10 ? "" : tens), add(ones), add("/regs/identification/midr_el1");
  *end = 0;
  if (read_file(path, text, sizeof text) != sizeof text) return 0;
  uint64_t id = 0;
  for (unsigned n = 2; n < sizeof text; n++) id = id << 4 | uint64_t(text[n] < 'a' ? text[n] - '0' : text[n] - 'a' + 10);
  return id;
}

// Whether a processor is one that looks up in half as many vectors at a time as it counts: Cortex-X1, X1C, Neoverse V1.
bool counts_faster() {
  constexpr uint64_t ARM = 0x41, PARTS[] = {0xd44, 0xd4c, 0xd40};
  constexpr unsigned MOST = 16;  // Where processors differ, as in phones, there are no more.
  for (unsigned number = 0; number < MOST; number++) {
    const uint64_t id = processor(number);
    for (uint64_t part : PARTS)
      if (id >> 24 == ARM && (id >> 4 & 0xfff) == part) return true;
  }
  return false;
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
#if defined(__linux__)
  if (has_dot_products()) features |= runner::CPU_DOTPROD;
  if (counts_faster()) features |= runner::CPU_COUNTS_FASTER;
#endif
#endif
  return features;
}
