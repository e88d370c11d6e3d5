// Threads in a browser: workers, each with an instance of its own of this module on the same memory. They are started by
// android_demo/export/web/assets/worker.js. A module whose memory cannot be shared has one thread.
#pragma once
#include "jobs.h"

namespace {

#if defined(WEB_THREADS)

constexpr uint32_t MOST_THREADS = 16;              // A map has no more parts.
constexpr uint64_t STACK_BYTES = uint64_t(1) << 18;  // Of each worker, as build.py gives the first.
constexpr int64_t NAP = 50000;                     // Nanoseconds.

struct Crew {
  Jobs jobs;
  uint32_t sleepers;
};

void open_crew(Crew* crew, uint32_t threads) { crew->jobs.queues = queues_of(threads); }

// What sleepers watch.
int* job_number(Crew* crew) { return (int*)&crew->jobs.job; }

// A browser has no call that lets others run.
void nap() {
  static int never;
  __builtin_wasm_memory_atomic_wait32(&never, 0, NAP);
}

// Who goes to sleep counts itself first, and the browser looks at the job's number once more: nobody misses one.
void run_on_crew(void* self, uint32_t tasks, runner_task task, void* argument) {
  Crew* crew = (Crew*)self;
  __atomic_store_n(&crew->jobs.job, announce(&crew->jobs, tasks, task, argument), __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&crew->sleepers, __ATOMIC_SEQ_CST)) __builtin_wasm_memory_atomic_notify(job_number(crew), ~0u);
  finish(&crew->jobs, nap);
}

// Takes a share of every job, and sleeps when none has come for a while. It ends with its worker.
[[noreturn]] void help_crew(Crew* crew, uint32_t thread) {
  int* const number = job_number(crew);
  for (int seen = 0;;) {
    for (int i = 0; i < LOOKS && __atomic_load_n(number, __ATOMIC_ACQUIRE) == seen; i++) relax();
    while (__atomic_load_n(number, __ATOMIC_ACQUIRE) == seen) {
      __atomic_fetch_add(&crew->sleepers, 1, __ATOMIC_SEQ_CST);
      __builtin_wasm_memory_atomic_wait32(number, seen, -1);
      __atomic_fetch_sub(&crew->sleepers, 1, __ATOMIC_SEQ_CST);
    }
    seen = __atomic_load_n(number, __ATOMIC_ACQUIRE);
    work(&crew->jobs, thread);
  }
}

#else

constexpr uint32_t MOST_THREADS = 1;
constexpr uint64_t STACK_BYTES = 0;
struct Crew {};
void open_crew(Crew*, uint32_t) {}
void run_on_crew(void*, uint32_t, runner_task, void*) {}
void help_crew(Crew*, uint32_t) {}

#endif

}  // namespace
