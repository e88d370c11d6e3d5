// One job at a time, whose tasks are taken by whichever threads have time. It needs no operating system: a host says
// where threads come from, and where they wait.
#pragma once
#include <stdint.h>

#include "../core/core.h"

// Steps follow each other within microseconds, so threads look for work for a while before they do anything else.
constexpr int LOOKS = 20000;
constexpr uint32_t CLOSED = ~0u;

// A job's tasks are divided into as many queues as there are threads, each of neighbours: what a thread has written in a
// job it finds in its own cache in the next. It goes to the others' queues when its own is empty.
//
// A job ends when its tasks are done, whether or not every thread has seen it: on a busy machine a thread may wait for a
// processor for longer than a job takes. A thread that comes late finds other tickets, and takes nothing.
constexpr uint32_t MOST_QUEUES = 16;
struct Jobs {
  uint32_t queues;  // A host sets it once: queues_of its threads.
  uint32_t job;     // The job's number, which a host writes last.
  uint32_t done;    // Tasks of this job.
  // Of the job: written while its queues are closed.
  uint32_t tasks;
  runner_task task;
  void* argument;
  // Of each queue: the job's number above 32 bits; below, the next task that nobody has begun, or CLOSED.
  uint64_t tickets[MOST_QUEUES];
};

inline uint32_t queues_of(uint32_t threads) { return threads < MOST_QUEUES ? threads : MOST_QUEUES; }

// The first task of a queue, of so many tasks in all; that of the next queue ends it.
inline uint32_t first_task(const Jobs* jobs, uint32_t queue, uint32_t tasks) {
  return uint32_t(uint64_t(tasks) * queue / jobs->queues);
}

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

// Takes tasks of a queue until none is left; how many those were.
inline uint32_t work_on(Jobs* jobs, uint32_t queue, uint32_t thread) {
  for (uint32_t done = 0;;) {
    uint64_t ticket = __atomic_load_n(&jobs->tickets[queue], __ATOMIC_ACQUIRE);
    // Of this job or a later one. If later, its queues were closed before, and this ticket is no longer valid.
    const runner_task task = __atomic_load_n(&jobs->task, __ATOMIC_ACQUIRE);
    void* const argument = __atomic_load_n(&jobs->argument, __ATOMIC_ACQUIRE);
    const uint32_t tasks = __atomic_load_n(&jobs->tasks, __ATOMIC_ACQUIRE);
    if (uint32_t(ticket) >= first_task(jobs, queue + 1, tasks)) return done;
    if (!__atomic_compare_exchange_n(&jobs->tickets[queue], &ticket, ticket + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
      continue;
    task(argument, uint32_t(ticket), thread);
    done++;
  }
}

// Takes tasks until none is left.
inline void work(Jobs* jobs, uint32_t thread) {
  uint32_t done = 0;
  for (uint32_t n = 0; n < jobs->queues; n++) done += work_on(jobs, (thread + n) % jobs->queues, thread);
  if (done) __atomic_fetch_add(&jobs->done, done, __ATOMIC_RELEASE);
}

// Opens the queues of a new job. Returns its number, which the host issues: stores it as `job`.
inline uint32_t announce(Jobs* jobs, uint32_t tasks, runner_task task, void* argument) {
  const uint32_t job = __atomic_load_n(&jobs->job, __ATOMIC_RELAXED) + 1;
  for (uint32_t i = 0; i < jobs->queues; i++)
    __atomic_store_n(&jobs->tickets[i], uint64_t(job) << 32 | CLOSED, __ATOMIC_RELAXED);
  __atomic_store_n(&jobs->done, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&jobs->task, task, __ATOMIC_RELEASE);
  __atomic_store_n(&jobs->argument, argument, __ATOMIC_RELEASE);
  __atomic_store_n(&jobs->tasks, tasks, __ATOMIC_RELEASE);
  for (uint32_t i = 0; i < jobs->queues; i++)
    __atomic_store_n(&jobs->tickets[i], uint64_t(job) << 32 | first_task(jobs, i, tasks), __ATOMIC_RELEASE);
  return job;
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
