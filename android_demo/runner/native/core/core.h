// The engine as hosts see it: plain C, no allocation, no global state. Memory and threads are handed in.
//
//   runner_check(plan, size)                    is it a plan?
//   runner_memory(plan, kernels, threads)       how much memory does it take?
//   runner_load(plan, kernels, memory, ...)     pack weights for these kernels, once; looks at all but the checksum again
//   runner_tensor(engine, i)                    inputs and outputs, in that memory
//   runner_run(engine, pool, ...)               one inference
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum runner_status {
  RUNNER_OK = 0,
  RUNNER_NO_PLAN = 1,      // Something else, or cut off.
  RUNNER_VERSION = 2,      // A plan of another version.
  RUNNER_DAMAGED = 3,      // The checksum is another.
  RUNNER_INVALID = 4,      // A number leads out of its section.
  RUNNER_TOO_LARGE = 5,    // It asks for more memory or work than any network.
  RUNNER_NO_KERNELS = 6,   // No kernels of that name, or not for this CPU.
  RUNNER_NO_MEMORY = 7,    // Less memory than runner_memory says, or not aligned to 64 bytes.
  RUNNER_STOPPED = 8,      // An inference was stopped; its outputs are no answer.
};

typedef void (*runner_task)(void* argument, uint32_t task, uint32_t thread);

// Runs task(argument, 0..tasks-1, thread) on up to `threads` threads, each with a number below that, and returns when
// all are done. Threads besides the caller's keep a NoDenormals (denormals.h), so that all compute the same.
struct runner_pool {
  void* self;
  uint32_t threads;
  void (*run)(void* self, uint32_t tasks, runner_task task, void* argument);
};

// What a host may want to know of the time that each step takes. `clock` may be null.
struct runner_profile {
  uint64_t (*clock)(void);
  uint64_t* ticks;  // One for each step; added to.
};

struct runner_kernels;  // One instruction set's kernels.
struct runner_engine;   // A plan that is ready to run; lies in the memory that was handed in.

// A tensor in memory: its elements lie without gaps.
struct runner_view {
  void* data;
  uint64_t bytes;
  uint32_t height, width, channels;
};

int runner_check(const void* plan, uint64_t size);
// By name, or the best for `features` if it is null: bits of the CPU, see kernels.h. Null if there are none.
const struct runner_kernels* runner_choose(const char* name, uint64_t features);
const char* runner_name(const struct runner_kernels* kernels);
// Bytes for a checked plan, or 0 if it takes more than can be counted.
uint64_t runner_memory(const void* plan, const struct runner_kernels* kernels, uint32_t threads);
int runner_load(const void* plan, uint64_t size, const struct runner_kernels* kernels, uint32_t threads, void* memory,
                uint64_t bytes, struct runner_engine** engine);
uint32_t runner_inputs(const struct runner_engine* engine);
uint32_t runner_outputs(const struct runner_engine* engine);
// Inputs first, outputs behind them. False if there is none of that number.
int runner_tensor(const struct runner_engine* engine, uint32_t index, struct runner_view* view);
uint32_t runner_steps(const struct runner_engine* engine);
const char* runner_step_name(const struct runner_engine* engine, uint32_t step);
const char* runner_step_kind(const struct runner_engine* engine, uint32_t step);
// RUNNER_OK, or RUNNER_STOPPED: no step begins while `stop` is there and not 0, which another thread may write.
int runner_run(struct runner_engine* engine, const struct runner_pool* pool, const struct runner_profile* profile,
               const uint32_t* stop);

#ifdef __cplusplus
}
#endif
