// Denormal numbers, below 1.2e-38, cost a CPU many times what others do, and a network is none the better for them.
#pragma once
#include <stdint.h>

namespace runner {

// While one lives, they are zeros on this thread, as they are in TensorFlow, TensorFlow Lite and LCE.
struct NoDenormals {
#if defined(__x86_64__)
  static constexpr uint32_t ZEROS = 1u << 15 | 1u << 6;  // Of results, and of operands.
  const uint32_t before = __builtin_ia32_stmxcsr();
  NoDenormals() { __builtin_ia32_ldmxcsr(before | ZEROS); }
  ~NoDenormals() { __builtin_ia32_ldmxcsr(before); }
#elif defined(__aarch64__)
  static constexpr uint64_t ZEROS = 1u << 24;
  static uint64_t mode() {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void set(uint64_t mode) { __asm__ volatile("msr fpcr, %0" ::"r"(mode) : "memory"); }
  const uint64_t before = mode();
  NoDenormals() { set(before | ZEROS); }
  ~NoDenormals() { set(before); }
#else
  NoDenormals() {}  // WebAssembly has no such mode.
  ~NoDenormals() {}
#endif
  NoDenormals(const NoDenormals&) = delete;
};

}  // namespace runner
