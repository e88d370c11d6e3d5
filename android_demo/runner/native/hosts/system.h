// What a host wants of an operating system: memory, files in memory, threads, a clock. POSIX has it, and so has Windows.
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef SRWLOCK Mutex;
typedef CONDITION_VARIABLE Condition;
typedef HANDLE Thread;

inline void open_mutex(Mutex* mutex) { InitializeSRWLock(mutex); }
inline void close_mutex(Mutex*) {}
inline void lock(Mutex* mutex) { AcquireSRWLockExclusive(mutex); }
inline void unlock(Mutex* mutex) { ReleaseSRWLockExclusive(mutex); }
inline void open_condition(Condition* condition) { InitializeConditionVariable(condition); }
inline void close_condition(Condition*) {}
inline void wait(Condition* condition, Mutex* mutex) { SleepConditionVariableSRW(condition, mutex, INFINITE, 0); }
inline void wake_all(Condition* condition) { WakeAllConditionVariable(condition); }

// Runs main(argument); whether it could be started.
inline bool start_thread(Thread* thread, unsigned long(__stdcall* main)(void*), void* argument) {
  *thread = CreateThread(nullptr, 0, main, argument, 0, nullptr);
  return *thread != nullptr;
}
inline void join(Thread thread) {
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}
inline void let_others_run() { SwitchToThread(); }
// What a thread's function is declared as, and returns.
#define THREAD_MAIN(name, argument) unsigned long __stdcall name(void* argument)
#define THREAD_END 0

inline uint64_t system_nanoseconds() {
  LARGE_INTEGER frequency, now;
  QueryPerformanceFrequency(&frequency);
  QueryPerformanceCounter(&now);
  const uint64_t seconds = uint64_t(now.QuadPart / frequency.QuadPart), rest = uint64_t(now.QuadPart % frequency.QuadPart);
  return seconds * 1000000000u + rest * 1000000000u / uint64_t(frequency.QuadPart);
}

// Memory that is zero and that takes pages when they are first written; null if there is none.
inline void* fresh_pages(uint64_t bytes) {
  return VirtualAlloc(nullptr, SIZE_T(bytes), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}
inline void free_pages(void* pages, uint64_t) { VirtualFree(pages, 0, MEM_RELEASE); }

// A file's bytes, to be read alone. Null with no bytes: there is no such file, or it is empty; with some: no room for it.
inline void* map_file(const char* path, uint64_t* bytes) {
  *bytes = 0;
  const HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, 0, nullptr);
  if (file == INVALID_HANDLE_VALUE) return nullptr;
  LARGE_INTEGER size;
  void* view = nullptr;
  if (GetFileSizeEx(file, &size) && size.QuadPart > 0) {
    *bytes = uint64_t(size.QuadPart);
    const HANDLE mapping = CreateFileMappingA(file, nullptr, PAGE_READONLY, 0, 0, nullptr);
    if (mapping) {
      view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
      CloseHandle(mapping);
    }
  }
  CloseHandle(file);
  return view;
}
inline void unmap_file(void* view, uint64_t) { UnmapViewOfFile(view); }

#else
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef pthread_mutex_t Mutex;
typedef pthread_cond_t Condition;
typedef pthread_t Thread;

inline void open_mutex(Mutex* mutex) { pthread_mutex_init(mutex, nullptr); }
inline void close_mutex(Mutex* mutex) { pthread_mutex_destroy(mutex); }
inline void lock(Mutex* mutex) { pthread_mutex_lock(mutex); }
inline void unlock(Mutex* mutex) { pthread_mutex_unlock(mutex); }
inline void open_condition(Condition* condition) { pthread_cond_init(condition, nullptr); }
inline void close_condition(Condition* condition) { pthread_cond_destroy(condition); }
inline void wait(Condition* condition, Mutex* mutex) { pthread_cond_wait(condition, mutex); }
inline void wake_all(Condition* condition) { pthread_cond_broadcast(condition); }

// Runs main(argument); whether it could be started.
inline bool start_thread(Thread* thread, void* (*main)(void*), void* argument) {
  // Where nothing is said, musl gives a thread 128 KB: less than half of what a list of tiles takes (kernels/bits.inl).
  constexpr size_t STACK = 1 << 20;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK);
  const bool started = !pthread_create(thread, &attributes, main, argument);
  pthread_attr_destroy(&attributes);
  return started;
}
inline void join(Thread thread) { pthread_join(thread, nullptr); }
inline void let_others_run() { sched_yield(); }
// What a thread's function is declared as, and returns.
#define THREAD_MAIN(name, argument) void* name(void* argument)
#define THREAD_END nullptr

inline uint64_t system_nanoseconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000000000u + uint64_t(t.tv_nsec);
}

// Huge pages, where a process may ask for them: what is read from memory, weights above all, comes twice as fast, since
// CPUs fetch ahead within a page only. Thousands of small ones, taken one by one, are a quarter of a start, too.
constexpr uint64_t HUGE_PAGE = 1 << 21;
inline bool has_huge_pages() {
  const int file = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
  if (file < 0) return false;
  char text[64] = {};
  const bool is_known = read(file, text, sizeof text - 1) > 0;
  close(file);
  return is_known && !strstr(text, "[never]");
}

// Memory that is zero and that takes pages when they are first written; null if there is none.
inline void* fresh_pages(uint64_t bytes) {
  // Some systems begin mappings anywhere: more is mapped than is needed, and trimmed to begin with a huge page.
  const uint64_t more = bytes < HUGE_PAGE ? 0 : HUGE_PAGE;
  char* const all = (char*)mmap(nullptr, bytes + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) return nullptr;
  if (!more) return all;
  const uint64_t page = uint64_t(sysconf(_SC_PAGESIZE)), used = (bytes + page - 1) / page * page;
  const uint64_t before = -(uintptr_t)all % HUGE_PAGE;
  char* const pages = all + before;
  if (before) munmap(all, before);
  if (before + used < bytes + more) munmap(pages + used, bytes + more - before - used);
#if defined(MADV_HUGEPAGE)
  madvise(pages, bytes, MADV_HUGEPAGE);
#endif
  return pages;
}
inline void free_pages(void* pages, uint64_t bytes) { munmap(pages, bytes); }

// A file's bytes, in huge pages of their own if there are some, otherwise mapped, to be read alone. Null with no bytes:
// there is no such file, or it is empty; with some: no room for it.
inline void* map_file(const char* path, uint64_t* bytes) {
  *bytes = 0;
  const int file = open(path, O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) || !S_ISREG(status.st_mode) || status.st_size <= 0) {
    if (file >= 0) close(file);
    return nullptr;
  }
  *bytes = uint64_t(status.st_size);
  char* view = *bytes >= 2 * HUGE_PAGE && has_huge_pages() ? (char*)fresh_pages(*bytes) : nullptr;
  for (uint64_t done = 0; view && done < *bytes;) {
    const ssize_t now = read(file, view + done, *bytes - done);
    if (now > 0) done += uint64_t(now);
    else free_pages(view, *bytes), view = nullptr;
  }
  if (!view) view = (char*)mmap(nullptr, *bytes, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  return view == MAP_FAILED ? nullptr : view;
}
inline void unmap_file(void* view, uint64_t bytes) { munmap(view, bytes); }
#endif
