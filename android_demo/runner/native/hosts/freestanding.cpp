// What compilers take for granted even without a C library: for targets that have none, such as WebAssembly, or a
// library that is linked with nothing. Compiled with -fno-builtin, lest a loop here becomes a call of itself.
#include <stddef.h>
#include <stdint.h>

extern "C" {

void* memcpy(void* __restrict to, const void* __restrict from, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) ((unsigned char*)to)[i] = ((const unsigned char*)from)[i];
  return to;
}

void* memset(void* to, int value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) ((unsigned char*)to)[i] = (unsigned char)value;
  return to;
}

// Of CPUs that have no instruction for it, in GCC's name for it.
int __popcountdi2(long long bits) {
  int count = 0;
  for (unsigned long long left = (unsigned long long)bits; left; left &= left - 1) count++;
  return count;
}

#if defined(__aarch64__)
// Atomic operations that are functions, so that a library can choose the CPU's best instructions: clang for Android calls
// them whatever it is told. These are of ARMv8.0, which every CPU has.
uint64_t __aarch64_cas8_acq_rel(uint64_t expected, uint64_t wanted, uint64_t* place) {
  uint64_t found;
  uint32_t failed;
  __asm__ volatile(
      "1: ldaxr %0, [%2]\n"
      "cmp %0, %3\n"
      "b.ne 2f\n"
      "stlxr %w1, %4, [%2]\n"
      "cbnz %w1, 1b\n"
      "2:"
      : "=&r"(found), "=&r"(failed)
      : "r"(place), "r"(expected), "r"(wanted)
      : "cc", "memory");
  return found;
}

uint32_t __aarch64_ldadd4_rel(uint32_t value, uint32_t* place) {
  uint32_t found, sum, failed;
  __asm__ volatile(
      "1: ldxr %w0, [%3]\n"
      "add %w1, %w0, %w4\n"
      "stlxr %w2, %w1, [%3]\n"
      "cbnz %w2, 1b"
      : "=&r"(found), "=&r"(sum), "=&r"(failed)
      : "r"(place), "r"(value)
      : "memory");
  return found;
}
#endif
}
