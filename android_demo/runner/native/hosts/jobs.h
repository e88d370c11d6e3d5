// One job at a time, whose tasks are taken by whichever threads have time. It needs no operating system: a host says
// where threads come from, and where they wait.
#pragma once
#include <stdint.h>

#include "../core/core.h"

// Steps follow each other within microseconds, so threads look for work for a while before they do anything else.
constexpr int LOOKS = 20000;
constexpr uint32_t CLOSED = ~0u;

// A job ends when its tasks are done, whether or not every thread has seen it: on a busy machine a thread may wait for a
// processor for longer than a job takes. A thread that comes late finds another ticket, and takes nothing.
struct Jobs {
  uint64_t ticket;  // The job's number above 32 bits; below, the next task that nobody has begun, or CLOSED.
  // Of the job: written while the ticket is closed.
  runner_task task;
  void* argument;
  uint32_t tasks;
  uint32_t done;  // Tasks of this job.
};

inline uint32_t job_of(uint64_t ticket) { return uint32_t(ticket >> 32); }

// Tells the CPU that this thread only waits.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#elif defined(__wasm_atomics__)
  __atomic_thread_fence(__ATOMIC_SEQ_CST);  // There is no instruction for it; this one takes about as long.
#endif
}

// Takes tasks until none is left.
inline void work(Jobs* jobs, uint32_t thread) {
  for (;;) {
    uint64_t ticket = __atomic_load_n(&jobs->ticket, __ATOMIC_ACQUIRE);
    // Of this job or a later one. If later, its ticket was closed before, and this one is no longer valid.
    const runner_task task = __atomic_load_n(&jobs->task, __ATOMIC_ACQUIRE);
    void* const argument = __atomic_load_n(&jobs->argument, __ATOMIC_ACQUIRE);
    if (uint32_t(ticket) >= __atomic_load_n(&jobs->tasks, __ATOMIC_ACQUIRE)) return;
    if (!__atomic_compare_exchange_n(&jobs->ticket, &ticket, ticket + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
      continue;
    task(argument, uint32_t(ticket), thread);
    __atomic_fetch_add(&jobs->done, 1, __ATOMIC_RELEASE);
  }
}

// The ticket of a new job, which the host issues: stores it as `ticket`.
inline uint64_t announce(Jobs* jobs, uint32_t tasks, runner_task task, void* argument) {
  const uint32_t job = job_of(__atomic_load_n(&jobs->ticket, __ATOMIC_RELAXED));
  __atomic_store_n(&jobs->ticket, uint64_t(job) << 32 | CLOSED, __ATOMIC_RELAXED);
  __atomic_store_n(&jobs->done, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&jobs->task, task, __ATOMIC_RELEASE);
  __atomic_store_n(&jobs->argument, argument, __ATOMIC_RELEASE);
  __atomic_store_n(&jobs->tasks, tasks, __ATOMIC_RELEASE);
  return uint64_t(job + 1) << 32;
}

// Waits until `is_over()`, and where that takes long lets threads run that have no processor.
template <class Condition>
void wait_until(Condition is_over, void (*give_way)()) {
  for (int looks = 0; !is_over(); looks++) {
    relax();
    if (looks > LOOKS) {
      give_way();
      looks = 0;
    }
  }
}

// Works on the job that was issued last until all of its tasks are done.
inline void finish(Jobs* jobs, void (*give_way)()) {
  work(jobs, 0);
  wait_until([=] { return __atomic_load_n(&jobs->done, __ATOMIC_ACQUIRE) == jobs->tasks; }, give_way);
}
