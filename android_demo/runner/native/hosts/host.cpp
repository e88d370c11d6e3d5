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

#include "jobs.h"

uint64_t nanoseconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000000000u + uint64_t(t.tv_nsec);
}

struct Pool {
  uint32_t threads;
  pthread_t* ids;
  uint32_t started;  // Of the threads besides the caller.
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  Jobs jobs;
  uint32_t sleepers;
  bool stop;
};

namespace {

struct Start {
  Pool* pool;
  uint32_t thread;
};

void* thread_main(void* argument) {
  const Start start = *(Start*)argument;
  free(argument);
  Pool* pool = start.pool;
  uint32_t seen = 0;
  const auto is_new = [&] { return job_of(__atomic_load_n(&pool->jobs.ticket, __ATOMIC_SEQ_CST)) != seen; };
  for (;;) {
    for (int i = 0; i < LOOKS && !is_new(); i++) relax();
    if (!is_new()) {
      pthread_mutex_lock(&pool->mutex);
      __atomic_fetch_add(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
      while (!is_new()) pthread_cond_wait(&pool->wake, &pool->mutex);
      __atomic_fetch_sub(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
      pthread_mutex_unlock(&pool->mutex);
    }
    seen = job_of(__atomic_load_n(&pool->jobs.ticket, __ATOMIC_ACQUIRE));
    if (__atomic_load_n(&pool->stop, __ATOMIC_ACQUIRE)) return nullptr;
    work(&pool->jobs, start.thread);
  }
}

// Issues a ticket and wakes who sleeps. Who goes to sleep counts itself first and looks once more: nobody misses it.
void issue(Pool* pool, uint64_t ticket) {
  __atomic_store_n(&pool->jobs.ticket, ticket, __ATOMIC_SEQ_CST);
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
  issue(pool, announce(&pool->jobs, tasks, task, argument));
  finish(&pool->jobs, [] { sched_yield(); });
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
  issue(pool, uint64_t(job_of(__atomic_load_n(&pool->jobs.ticket, __ATOMIC_RELAXED)) + 1) << 32 | CLOSED);
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
  runner_run(s->engine, &pool, profile, nullptr);
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
    case RUNNER_STOPPED: return "stopped";
  }
  return "an unknown error";
}
