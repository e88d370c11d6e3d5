// Which of two kernels runs the next inference, where the usual ones are slower at times: AMX, while the core's other
// hardware thread is busy (inferences take 6 ms for a while and then 16, where AVX-512 takes 7 to 9), and a phone's
// processors, which differ in what they are fast at.
#pragma once
#include "plan.h"

namespace runner {

enum Choice : u32 { USUAL, WAY_BACK, CHOICES };

// Each choice is known by its last inferences. Of two, so that one that was interrupted changes nothing.
constexpr u32 REMEMBERED = 2;
// After so many inferences with one choice, one runs with the other: it may be the faster one by now.
constexpr u32 PATIENCE = 100;

struct Watch {
  u64 ticks[CHOICES][REMEMBERED];  // 0: unknown, which is faster than anything known.
  u32 count[CHOICES];
  u32 same;  // How many inferences in a row ran with the same choice.
  Choice last;

  u64 known(Choice choice) const {
    u64 least = ticks[choice][0];
    for (u64 each : ticks[choice]) least = each < least ? each : least;
    return least;
  }
  Choice next() const {
    if (same >= PATIENCE) return last == USUAL ? WAY_BACK : USUAL;
    return known(WAY_BACK) < known(USUAL) ? WAY_BACK : USUAL;
  }
  void took(Choice choice, u64 time) {
    ticks[choice][count[choice]++ % REMEMBERED] = time;
    same = choice == last ? same + 1 : 1;
    last = choice;
  }
};

// Time in ticks of the CPU; 0 where no kernels have a way back.
inline u64 cpu_ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  u64 ticks;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return 0;
#endif
}

}  // namespace runner
