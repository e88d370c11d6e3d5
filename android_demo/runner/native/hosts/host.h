// What hosts with an operating system share: memory, threads, a clock, and what the CPU has.
#pragma once
#include <stdint.h>

#include "../core/core.h"

// Bits of CPU_* in kernels.h.
uint64_t cpu_features();
// Nanoseconds of a clock that never goes back.
uint64_t nanoseconds();

struct Pool;
// Threads that wait for work, and the caller as thread 0. Null if they cannot be started.
Pool* start_pool(uint32_t threads);
void stop_pool(Pool* pool);
runner_pool interface_of(Pool* pool);

// A plan that is loaded for this machine.
struct Session {
  void* plan;  // Its own copy, or mapped from a file.
  uint64_t size;
  bool mapped;
  void* memory;
  uint64_t bytes;
  Pool* pool;
  runner_engine* engine;
  const runner_kernels* kernels;
};

// RUNNER_OK, or what was wrong; then there is nothing to close. `kernels` may be null: the best ones.
int open_session(Session* session, const char* path, const void* plan, uint64_t size, const char* kernels,
                 uint32_t threads);
void close_session(Session* session);
void run_session(Session* session, const runner_profile* profile);
const char* status_text(int status);
