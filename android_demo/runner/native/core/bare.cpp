// What compilers call without being asked, for targets that have no C library.
#include <stddef.h>

extern "C" {

__attribute__((weak)) void* memcpy(void* to, const void* from, size_t n) {
  char* t = (char*)to;
  const char* f = (const char*)from;
  while (n--) {
    *t++ = *f++;
    __asm__ volatile("");  // Or the compiler makes a call of memcpy of it.
  }
  return to;
}

__attribute__((weak)) void* memset(void* to, int value, size_t n) {
  char* t = (char*)to;
  while (n--) {
    *t++ = (char)value;
    __asm__ volatile("");
  }
  return to;
}
}
