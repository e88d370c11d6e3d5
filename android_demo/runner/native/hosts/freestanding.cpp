// What compilers take for granted even without a C library: for targets that have none, such as WebAssembly, or a
// library that is linked with nothing. Compiled with -fno-builtin, lest a loop here becomes a call of itself.
#include <stddef.h>

extern "C" {

void* memcpy(void* __restrict to, const void* __restrict from, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) ((unsigned char*)to)[i] = ((const unsigned char*)from)[i];
  return to;
}

void* memset(void* to, int value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) ((unsigned char*)to)[i] = (unsigned char)value;
  return to;
}
}
