#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "../kernels/kernels.h"

uint64_t cpu_features() {
  uint64_t features = 0;
#if defined(__x86_64__)
  // Asked by hand: __builtin_cpu_supports says no to everything where zig's own library stands in for libgcc.
  uint32_t a, b, c, d, state = 0;
  constexpr uint32_t FMA = 1u << 12, OSXSAVE = 1u << 27, YMM = 6, AVX2 = 1u << 5;
  if (__get_cpuid(1, &a, &b, &c, &d) && (c & OSXSAVE)) __asm__("xgetbv" : "=a"(state), "=d"(d) : "c"(0));
  const bool has_fma = (c & FMA) && (state & YMM) == YMM;  // The operating system saves those registers.
  if (has_fma && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & AVX2)) features |= runner::CPU_AVX2;
#elif defined(__aarch64__)
  features |= runner::CPU_NEON;  // Part of every ARMv8.0.
#endif
  return features;
}

uint64_t nanoseconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000000000u + uint64_t(t.tv_nsec);
}

namespace {
// Steps follow each other within microseconds, so threads look for work for a while before they go to sleep.
constexpr int LOOKS = 20000;
constexpr uint32_t CLOSED = ~0u;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
}  // namespace

// A job ends when its tasks are done, whether or not every thread has seen it: on a busy machine a thread may wait for a
// processor for longer than a job takes. A thread that comes late finds another ticket, and takes nothing.
struct Pool {
  uint32_t threads;
  pthread_t* ids;
  uint32_t started;  // Of the threads besides the caller.
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  uint64_t ticket;  // The job's number above 32 bits; below, the next task that nobody has begun, or CLOSED.
  uint32_t sleepers;
  bool stop;
  // Of the job: written while the ticket is closed.
  runner_task task;
  void* argument;
  uint32_t tasks;
  uint32_t done;  // Tasks of this job.
};

namespace {

uint32_t job_of(uint64_t ticket) { return uint32_t(ticket >> 32); }

void work(Pool* pool, uint32_t thread) {
  for (;;) {
    uint64_t ticket = __atomic_load_n(&pool->ticket, __ATOMIC_ACQUIRE);
    // Of this job or a later one. If later, its ticket was closed before, and this one is no longer valid.
    const runner_task task = __atomic_load_n(&pool->task, __ATOMIC_ACQUIRE);
    void* const argument = __atomic_load_n(&pool->argument, __ATOMIC_ACQUIRE);
    if (uint32_t(ticket) >= __atomic_load_n(&pool->tasks, __ATOMIC_ACQUIRE)) return;
    if (!__atomic_compare_exchange_n(&pool->ticket, &ticket, ticket + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
      continue;
    task(argument, uint32_t(ticket), thread);
    __atomic_fetch_add(&pool->done, 1, __ATOMIC_RELEASE);
  }
}

struct Start {
  Pool* pool;
  uint32_t thread;
};

void* thread_main(void* argument) {
  const Start start = *(Start*)argument;
  free(argument);
  Pool* pool = start.pool;
  uint32_t seen = 0;
  const auto is_new = [&] { return job_of(__atomic_load_n(&pool->ticket, __ATOMIC_SEQ_CST)) != seen; };
  for (;;) {
    for (int i = 0; i < LOOKS && !is_new(); i++) pause();
    if (!is_new()) {
      pthread_mutex_lock(&pool->mutex);
      __atomic_fetch_add(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
      while (!is_new()) pthread_cond_wait(&pool->wake, &pool->mutex);
      __atomic_fetch_sub(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
      pthread_mutex_unlock(&pool->mutex);
    }
    seen = job_of(__atomic_load_n(&pool->ticket, __ATOMIC_ACQUIRE));
    if (__atomic_load_n(&pool->stop, __ATOMIC_ACQUIRE)) return nullptr;
    work(pool, start.thread);
  }
}

// Issues a ticket and wakes who sleeps. Who goes to sleep counts itself first and looks once more: nobody misses it.
void issue(Pool* pool, uint64_t ticket) {
  __atomic_store_n(&pool->ticket, ticket, __ATOMIC_SEQ_CST);
  if (!__atomic_load_n(&pool->sleepers, __ATOMIC_SEQ_CST)) return;
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
}

void run_on_pool(void* self, uint32_t tasks, runner_task task, void* argument) {
  Pool* pool = (Pool*)self;
  if (tasks <= 1 || !pool->started) {
    for (uint32_t i = 0; i < tasks; i++) task(argument, i, 0);
    return;
  }
  const uint32_t job = job_of(__atomic_load_n(&pool->ticket, __ATOMIC_RELAXED));
  __atomic_store_n(&pool->ticket, uint64_t(job) << 32 | CLOSED, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->done, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->task, task, __ATOMIC_RELEASE);
  __atomic_store_n(&pool->argument, argument, __ATOMIC_RELEASE);
  __atomic_store_n(&pool->tasks, tasks, __ATOMIC_RELEASE);
  issue(pool, uint64_t(job + 1) << 32);
  work(pool, 0);
  for (int looks = 0; __atomic_load_n(&pool->done, __ATOMIC_ACQUIRE) != tasks; looks++) {
    pause();
    if (looks > LOOKS) {  // More threads than processors: let them run.
      sched_yield();
      looks = 0;
    }
  }
}

}  // namespace

Pool* start_pool(uint32_t threads) {
  Pool* pool = (Pool*)calloc(1, sizeof(Pool));
  if (!pool) return nullptr;
  pool->threads = threads;
  pool->ids = (pthread_t*)calloc(threads, sizeof(pthread_t));
  pthread_mutex_init(&pool->mutex, nullptr);
  pthread_cond_init(&pool->wake, nullptr);
  for (uint32_t i = 1; pool->ids && i < threads; i++) {
    Start* start = (Start*)malloc(sizeof(Start));
    if (!start) break;
    *start = {pool, i};
    if (pthread_create(&pool->ids[pool->started], nullptr, thread_main, start)) {
      free(start);
      break;
    }
    pool->started++;
  }
  if (pool->started + 1 != threads) {
    stop_pool(pool);
    return nullptr;
  }
  return pool;
}

void stop_pool(Pool* pool) {
  if (!pool) return;
  __atomic_store_n(&pool->stop, true, __ATOMIC_RELEASE);
  issue(pool, uint64_t(job_of(__atomic_load_n(&pool->ticket, __ATOMIC_RELAXED)) + 1) << 32 | CLOSED);
  for (uint32_t i = 0; i < pool->started; i++) pthread_join(pool->ids[i], nullptr);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  free(pool->ids);
  free(pool);
}

runner_pool interface_of(Pool* pool) { return {pool, pool->threads, run_on_pool}; }

int open_session(Session* s, const char* path, const void* plan, uint64_t size, const char* kernels, uint32_t threads) {
  memset(s, 0, sizeof *s);
  if (path) {
    const int file = open(path, O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) || status.st_size <= 0) {
      if (file >= 0) close(file);
      return RUNNER_NO_PLAN;
    }
    s->size = uint64_t(status.st_size);
    s->plan = mmap(nullptr, s->size, PROT_READ, MAP_PRIVATE, file, 0);
    s->mapped = s->plan != MAP_FAILED;
    close(file);
    if (!s->mapped) return RUNNER_NO_MEMORY;
  } else {
    s->size = size;
    s->plan = aligned_alloc(64, (size + 63) / 64 * 64);
    if (!s->plan) return RUNNER_NO_MEMORY;
    memcpy(s->plan, plan, size);
  }
  int result = runner_check(s->plan, s->size);
  s->kernels = runner_choose(kernels, cpu_features());
  if (!result && (!s->kernels || threads - 1 >= 1024)) result = RUNNER_NO_KERNELS;
  if (!result) {
    s->bytes = runner_memory(s->plan, s->kernels, threads);
    // Fresh pages are zero and take memory when they are first written.
    s->memory = s->bytes ? mmap(nullptr, s->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : nullptr;
    if (!s->bytes) result = RUNNER_TOO_LARGE;
    else if (s->memory == MAP_FAILED) s->memory = nullptr, result = RUNNER_NO_MEMORY;
  }
  if (!result) result = runner_load(s->plan, s->size, s->kernels, threads, s->memory, s->bytes, &s->engine);
  if (!result && !(s->pool = start_pool(threads))) result = RUNNER_NO_MEMORY;
  if (result) close_session(s);
  return result;
}

void close_session(Session* s) {
  stop_pool(s->pool);
  if (s->memory) munmap(s->memory, s->bytes);
  if (s->mapped) munmap(s->plan, s->size);
  else free(s->plan);
  memset(s, 0, sizeof *s);
}

void run_session(Session* s, const runner_profile* profile) {
  const runner_pool pool = interface_of(s->pool);
  runner_run(s->engine, &pool, profile);
}

const char* status_text(int status) {
  switch (status) {
    case RUNNER_OK: return "no error";
    case RUNNER_NO_PLAN: return "not a plan, or one that is cut off";
    case RUNNER_VERSION: return "a plan of another version";
    case RUNNER_DAMAGED: return "damaged: the checksum does not match";
    case RUNNER_INVALID: return "invalid: a number leads out of its section";
    case RUNNER_TOO_LARGE: return "it asks for more memory or work than any network";
    case RUNNER_NO_KERNELS: return "there are no such kernels for this CPU";
    case RUNNER_NO_MEMORY: return "not enough memory or threads";
  }
  return "an unknown error";
}
