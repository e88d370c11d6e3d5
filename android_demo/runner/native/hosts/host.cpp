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

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
}  // namespace

struct Pool {
  uint32_t threads;
  pthread_t* ids;
  uint32_t started;  // Of the threads besides the caller.
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  // A job's number is odd while it is being set.
  uint32_t generation;
  uint32_t sleepers;
  bool stop;
  runner_task task;
  void* argument;
  uint32_t tasks;
  uint32_t next;     // The next task that nobody has begun.
  uint32_t working;  // Threads besides the caller that have not yet seen the end of this job.
};

namespace {

void work(Pool* pool, uint32_t thread) {
  for (;;) {
    const uint32_t task = __atomic_fetch_add(&pool->next, 1, __ATOMIC_RELAXED);
    if (task >= pool->tasks) return;
    pool->task(pool->argument, task, thread);
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
  for (;;) {
    for (int i = 0; i < LOOKS && __atomic_load_n(&pool->generation, __ATOMIC_ACQUIRE) == seen; i++) pause();
    if (__atomic_load_n(&pool->generation, __ATOMIC_ACQUIRE) == seen) {
      pthread_mutex_lock(&pool->mutex);
      pool->sleepers++;
      while (__atomic_load_n(&pool->generation, __ATOMIC_ACQUIRE) == seen) pthread_cond_wait(&pool->wake, &pool->mutex);
      pool->sleepers--;
      pthread_mutex_unlock(&pool->mutex);
    }
    seen = __atomic_load_n(&pool->generation, __ATOMIC_ACQUIRE);
    if (pool->stop) return nullptr;
    work(pool, start.thread);
    __atomic_fetch_sub(&pool->working, 1, __ATOMIC_RELEASE);
  }
}

void next_generation(Pool* pool) {
  pthread_mutex_lock(&pool->mutex);
  __atomic_fetch_add(&pool->generation, 1, __ATOMIC_RELEASE);
  if (pool->sleepers) pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
}

void run_on_pool(void* self, uint32_t tasks, runner_task task, void* argument) {
  Pool* pool = (Pool*)self;
  pool->task = task, pool->argument = argument, pool->tasks = tasks;
  __atomic_store_n(&pool->next, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->working, pool->started, __ATOMIC_RELAXED);
  next_generation(pool);
  work(pool, 0);
  for (int looks = 0; __atomic_load_n(&pool->working, __ATOMIC_ACQUIRE); looks++) {
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
  pool->stop = true;
  next_generation(pool);
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
