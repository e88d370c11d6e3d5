// The engine in a Java machine, Android's or another: android_demo/export/aar/java/bnext/engine/Native.java is the other
// side. Memory and threads are Java's. Every call is handed the buffers that it uses, so that they live as long as it
// does, and none keeps an address that Java could free: whatever Java does, nothing here is left dangling.
//
// JNI is a table of functions whose numbers never change, so that neither a JDK's nor an NDK's headers are needed.
#include "../core/denormals.h"
#include "host.h"
#include "jobs.h"

typedef const void* const* const* Env;
typedef void* Object;

#define EXPORT(type, name) extern "C" __attribute__((visibility("default"))) type Java_bnext_engine_Native_##name

namespace {

constexpr int NEW_STRING = 167, BUFFER_ADDRESS = 230, BUFFER_CAPACITY = 231;
constexpr uint64_t MAGIC = 0x4e4f4953534553ull, ALIGNMENT = 64;

// What the memory of an open plan begins with; the engine's own memory lies behind it.
struct State {
  uint64_t magic;
  runner_engine* engine;
  const runner_kernels* kernels;
  uint32_t threads;
  uint32_t running;  // While an inference does, threads of Java look here for work.
  uint32_t stop;     // What the next step looks at before it begins.
  Jobs jobs;
};
constexpr uint64_t STATE_BYTES = (sizeof(State) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

// A direct buffer from its first byte to its capacity; nothing if it is none, or if what lies there begins elsewhere than
// at a multiple of 64 bytes.
struct Bytes {
  uint8_t* data;
  uint64_t size;
};
Bytes bytes_of(Env env, Object buffer) {
  if (!buffer) return {nullptr, 0};
  void* const data = ((void* (*)(Env, Object))(*env)[BUFFER_ADDRESS])(env, buffer);
  const int64_t size = ((int64_t(*)(Env, Object))(*env)[BUFFER_CAPACITY])(env, buffer);
  if (!data || size < 0 || uint64_t(uintptr_t(data)) % ALIGNMENT) return {nullptr, 0};
  return {(uint8_t*)data, uint64_t(size)};
}

State* state_of(Env env, Object memory) {
  const Bytes bytes = bytes_of(env, memory);
  if (bytes.size < STATE_BYTES || ((State*)bytes.data)->magic != MAGIC) return nullptr;
  return (State*)bytes.data;
}

// The system call, since there is no C library: other threads run first that wait for this processor.
void give_way() {
#if defined(__linux__) && defined(__x86_64__)
  long result = 24;
  __asm__ volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
#elif defined(__linux__) && defined(__aarch64__)
  register long number __asm__("x8") = 124;
  register long result __asm__("x0");
  __asm__ volatile("svc 0" : "=r"(result) : "r"(number) : "memory");
#endif
}

void run_jobs(void* self, uint32_t tasks, runner_task task, void* argument) {
  Jobs* jobs = &((State*)self)->jobs;
  __atomic_store_n(&jobs->job, announce(jobs, tasks, task, argument), __ATOMIC_RELEASE);
  finish(jobs, give_way);
}

}  // namespace

// How many bytes of a direct buffer lie before a multiple of 64; -1 if it is none.
EXPORT(int32_t, padding)(Env env, Object, Object buffer) {
  void* const data = buffer ? ((void* (*)(Env, Object))(*env)[BUFFER_ADDRESS])(env, buffer) : nullptr;
  return data ? int32_t(-uintptr_t(data) % ALIGNMENT) : -1;
}

// The bytes of memory that `open` takes for a plan, or a runner_status below 0.
EXPORT(int64_t, memory)(Env env, Object, Object plan, int32_t threads) {
  const Bytes bytes = bytes_of(env, plan);
  if (const int status = runner_check(bytes.data, bytes.size)) return -status;
  const runner_kernels* kernels = runner_choose(nullptr, cpu_features());
  const uint64_t needed = runner_memory(bytes.data, kernels, uint32_t(threads));
  return needed ? int64_t(STATE_BYTES + needed) : -RUNNER_TOO_LARGE;
}

// RUNNER_OK, or what is wrong. The plan is used where it lies.
EXPORT(int32_t, open)(Env env, Object, Object plan, Object memory, int32_t threads) {
  const Bytes from = bytes_of(env, plan), to = bytes_of(env, memory);
  if (to.size < STATE_BYTES) return RUNNER_NO_MEMORY;
  State* state = (State*)to.data;
  *state = {0, nullptr, runner_choose(nullptr, cpu_features()), uint32_t(threads), 0, 0, {}};
  state->jobs.queues = queues_of(state->threads);
  const int status = runner_load(from.data, from.size, state->kernels, state->threads, to.data + STATE_BYTES,
                                 to.size - STATE_BYTES, &state->engine);
  if (!status) state->magic = MAGIC;
  return status;
}

EXPORT(Object, kernels)(Env env, Object, Object memory) {
  const State* state = state_of(env, memory);
  const char* name = state ? runner_name(state->kernels) : "";
  return ((Object(*)(Env, const char*))(*env)[NEW_STRING])(env, name);
}

EXPORT(int32_t, inputs)(Env env, Object, Object memory) {
  const State* state = state_of(env, memory);
  return state ? int32_t(runner_inputs(state->engine)) : 0;
}
EXPORT(int32_t, outputs)(Env env, Object, Object memory) {
  const State* state = state_of(env, memory);
  return state ? int32_t(runner_outputs(state->engine)) : 0;
}

// Of inputs and, behind them, outputs: where in `memory` it begins (0), its bytes (1), height (2), width (3); -1 if there
// is none.
EXPORT(int64_t, tensor)(Env env, Object, Object memory, int32_t index, int32_t field) {
  const State* state = state_of(env, memory);
  runner_view view;
  if (!state || index < 0 || !runner_tensor(state->engine, uint32_t(index), &view)) return -1;
  switch (field) {
    case 0: return int64_t((uint8_t*)view.data - (uint8_t*)state);
    case 1: return int64_t(view.bytes);
    case 2: return view.height;
    case 3: return view.width;
  }
  return -1;
}

// One inference: RUNNER_OK, or RUNNER_STOPPED. Java calls it from one thread at a time.
EXPORT(int32_t, run)(Env env, Object, Object, Object memory) {
  State* state = state_of(env, memory);
  if (!state) return RUNNER_INVALID;
  const runner_pool pool = {state, state->threads, run_jobs};
  __atomic_store_n(&state->running, 1, __ATOMIC_RELEASE);
  const int status = runner_run(state->engine, &pool, nullptr, &state->stop);
  __atomic_store_n(&state->running, 0, __ATOMIC_RELEASE);
  return status;
}

// What another thread does while one runs: takes its share of every step, with a number of its own from 1 on.
EXPORT(void, help)(Env env, Object, Object, Object memory, int32_t thread) {
  State* state = state_of(env, memory);
  if (!state || thread < 1 || uint32_t(thread) >= state->threads) return;
  const runner::NoDenormals zeros;
  wait_until(
      [=] {
        work(&state->jobs, uint32_t(thread));
        return !__atomic_load_n(&state->running, __ATOMIC_ACQUIRE);
      },
      give_way);
}

// Whether inferences, the one that runs included, stop before their next step.
EXPORT(void, stop)(Env env, Object, Object memory, bool stopped) {
  if (State* state = state_of(env, memory)) __atomic_store_n(&state->stop, uint32_t(stopped), __ATOMIC_RELAXED);
}
