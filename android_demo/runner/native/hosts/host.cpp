#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "../core/denormals.h"
#include "jobs.h"
#include "system.h"

uint64_t nanoseconds() { return system_nanoseconds(); }

struct Pool {
  uint32_t threads;
  Thread* ids;
  uint32_t started;  // Of the threads besides the caller.
  Mutex mutex;
  Condition wake;
  Jobs jobs;
  uint32_t sleepers;
  bool stop;
};

namespace {

struct Start {
  Pool* pool;
  uint32_t thread;
};

THREAD_MAIN(thread_main, argument) {
  const Start start = *(Start*)argument;
  free(argument);
  const runner::NoDenormals zeros;
  Pool* pool = start.pool;
  uint32_t seen = 0;
  const auto is_new = [&] { return __atomic_load_n(&pool->jobs.job, __ATOMIC_SEQ_CST) != seen; };
  for (;;) {
    for (int i = 0; i < LOOKS && !is_new(); i++) relax();
    if (!is_new()) {
      lock(&pool->mutex);
      __atomic_fetch_add(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
      while (!is_new()) wait(&pool->wake, &pool->mutex);
      __atomic_fetch_sub(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
      unlock(&pool->mutex);
    }
    seen = __atomic_load_n(&pool->jobs.job, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&pool->stop, __ATOMIC_ACQUIRE)) return THREAD_END;
    work(&pool->jobs, start.thread);
  }
}

// Issues a job and wakes who sleeps. Who goes to sleep counts itself first and looks once more: nobody misses it.
void issue(Pool* pool, uint32_t job) {
  __atomic_store_n(&pool->jobs.job, job, __ATOMIC_SEQ_CST);
  if (!__atomic_load_n(&pool->sleepers, __ATOMIC_SEQ_CST)) return;
  lock(&pool->mutex);
  wake_all(&pool->wake);
  unlock(&pool->mutex);
}

void run_on_pool(void* self, uint32_t tasks, runner_task task, void* argument) {
  Pool* pool = (Pool*)self;
  if (tasks <= 1 || !pool->started) {
    for (uint32_t i = 0; i < tasks; i++) task(argument, i, 0);
    return;
  }
  issue(pool, announce(&pool->jobs, tasks, task, argument));
  finish(&pool->jobs, [] { let_others_run(); });
}

}  // namespace

Pool* start_pool(uint32_t threads) {
  Pool* pool = (Pool*)calloc(1, sizeof(Pool));
  if (!pool) return nullptr;
  pool->threads = threads;
  pool->jobs.queues = queues_of(threads);
  pool->ids = (Thread*)calloc(threads, sizeof(Thread));
  open_mutex(&pool->mutex);
  open_condition(&pool->wake);
  for (uint32_t i = 1; pool->ids && i < threads; i++) {
    Start* start = (Start*)malloc(sizeof(Start));
    if (!start) break;
    *start = {pool, i};
    if (!start_thread(&pool->ids[pool->started], thread_main, start)) {
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
  issue(pool, __atomic_load_n(&pool->jobs.job, __ATOMIC_RELAXED) + 1);
  for (uint32_t i = 0; i < pool->started; i++) join(pool->ids[i]);
  close_condition(&pool->wake);
  close_mutex(&pool->mutex);
  free(pool->ids);
  free(pool);
}

runner_pool interface_of(Pool* pool) { return {pool, pool->threads, run_on_pool}; }

int open_session(Session* s, const char* path, const void* plan, uint64_t size, const char* kernels, uint32_t threads) {
  memset(s, 0, sizeof *s);
  if (path) {
    s->plan = map_file(path, &s->size);
    s->mapped = s->plan != nullptr;
    if (!s->mapped) return s->size ? RUNNER_NO_MEMORY : RUNNER_NO_PLAN;
  } else {
    if (!size) return RUNNER_NO_PLAN;
    s->size = size;
    s->plan = fresh_pages(size);
    if (!s->plan) return RUNNER_NO_MEMORY;
    memcpy(s->plan, plan, size);
  }
  int result = runner_check(s->plan, s->size);
  s->kernels = runner_choose(kernels, cpu_features());
  if (!result && (!s->kernels || threads - 1 >= 1024)) result = RUNNER_NO_KERNELS;
  if (!result) {
    s->bytes = runner_memory(s->plan, s->kernels, threads);
    s->memory = s->bytes ? fresh_pages(s->bytes) : nullptr;
    if (!s->memory) result = s->bytes ? RUNNER_NO_MEMORY : RUNNER_TOO_LARGE;
  }
  if (!result) result = runner_load(s->plan, s->size, s->kernels, threads, s->memory, s->bytes, &s->engine);
  if (!result && !(s->pool = start_pool(threads))) result = RUNNER_NO_MEMORY;
  if (result) close_session(s);
  return result;
}

void close_session(Session* s) {
  stop_pool(s->pool);
  if (s->memory) free_pages(s->memory, s->bytes);
  if (s->mapped) unmap_file(s->plan, s->size);
  else if (s->plan) free_pages(s->plan, s->size);
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
