// The engine in a browser: one plan and one picture at a time, in a memory that begins with the program's own. The page's
// worker, android_demo/export/web/assets/worker.js, is the other side.
#include "../core/core.h"
#include "../images/resize.h"
#include "web_threads.h"

#define EXPORT(name) extern "C" __attribute__((export_name(#name), visibility("default")))

extern "C" __attribute__((import_module("page"), import_name("milliseconds"))) double milliseconds();
extern "C" unsigned char __heap_base;

namespace {

constexpr uint64_t PAGE = 65536;
uint64_t used = 0;   // Where the memory that nobody has begins.
uint64_t kept = 0;   // Where the picture's begins: behind the plan and the engine.
runner_engine* engine = nullptr;
Crew crew;
runner_pool pool = {&crew, 1, run_on_crew};
uint8_t* stacks;     // Of the threads but the first.
runner_view input, output;
Resize resize;
uint8_t *strip, *pixels;
float mean[3], deviation[3];
bool turned;

// Null if the browser has no more.
void* take(uint64_t bytes) {
  const uint64_t from = (used + 63) & ~uint64_t(63), end = from + bytes;
  const uint64_t there = uint64_t(__builtin_wasm_memory_size(0)) * PAGE;
  if (end >= uint64_t(1) << 32) return nullptr;
  if (end > there && __builtin_wasm_memory_grow(0, size_t((end - there + PAGE - 1) / PAGE)) == size_t(-1)) return nullptr;
  used = end;
  return (void*)size_t(from);
}

uint64_t nanoseconds() { return uint64_t(milliseconds() * 1e6); }

}  // namespace

// Room for the plan; null if there is none.
EXPORT(plan_memory) void* plan_memory(uint32_t bytes) {
  used = uint64_t(size_t(&__heap_base));
  return take(bytes);
}

// RUNNER_OK, or what is wrong. The plan must take one image and give one answer of floats. There are as many threads as
// were wanted, or fewer: see `threads`.
EXPORT(open) int open(void* plan, uint32_t bytes, uint32_t wanted) {
  if (const int status = runner_check(plan, bytes)) return status;
  pool.threads = wanted < 1 ? 1 : wanted > MOST_THREADS ? MOST_THREADS : wanted;
  open_crew(&crew, pool.threads);
  const runner_kernels* kernels = runner_choose(nullptr, 0);
  const uint64_t needed = runner_memory(plan, kernels, pool.threads);
  if (!needed) return RUNNER_TOO_LARGE;
  void* memory = take(needed);
  stacks = (uint8_t*)take((pool.threads - 1) * STACK_BYTES);
  if (!memory || !stacks) return RUNNER_NO_MEMORY;
  if (const int status = runner_load(plan, bytes, kernels, pool.threads, memory, needed, &engine)) return status;
  if (runner_inputs(engine) != 1 || runner_outputs(engine) != 1) return RUNNER_INVALID;
  runner_tensor(engine, 0, &input), runner_tensor(engine, 1, &output);
  const uint64_t values = uint64_t(input.height) * input.width * input.channels;
  if ((input.channels != 1 && input.channels != 3) || input.bytes != values * 4 || output.bytes % 4) return RUNNER_INVALID;
  pixels = (uint8_t*)take(values);
  kept = used;
  return pixels ? RUNNER_OK : RUNNER_NO_MEMORY;
}

EXPORT(threads) uint32_t threads() { return pool.threads; }
// Where the stack of a thread but the first begins; it grows downwards.
EXPORT(stack) void* stack(uint32_t thread) { return stacks + thread * STACK_BYTES; }
// What a thread but the first does as long as there is a page.
EXPORT(help) void help(uint32_t thread) { help_crew(&crew, thread); }

EXPORT(kernels) const char* kernels() { return runner_name(runner_choose(nullptr, 0)); }
EXPORT(height) uint32_t height() { return input.height; }
EXPORT(width) uint32_t width() { return input.width; }
EXPORT(channels) uint32_t channels() { return input.channels; }
EXPORT(values) uint32_t values() { return uint32_t(output.bytes / 4); }
EXPORT(steps) uint32_t steps() { return runner_steps(engine); }
EXPORT(step_kind) const char* step_kind(uint32_t step) { return runner_step_kind(engine, step); }
EXPORT(step_name) const char* step_name(uint32_t step) { return runner_step_name(engine, step); }

// How pictures become inputs: (pixel / 255 - mean) / deviation of each channel, turned by 180 degrees or not.
EXPORT(set_channel) void set_channel(uint32_t channel, float m, float d) {
  if (channel < 3) mean[channel] = m, deviation[channel] = d;
}
EXPORT(set_turned) void set_turned(int is) { turned = is; }

// Begins a picture: room for so many of its rows at a time, RGBA; null if it is too large. What the last one took is free.
EXPORT(begin_picture) void* begin_picture(uint32_t picture_width, uint32_t picture_height, uint32_t rows) {
  used = kept;
  resize = {picture_width, picture_height, input.width, input.height, input.channels, {}, {}, 0, nullptr, nullptr, nullptr, nullptr, 0};
  const size_t bytes = resize_bytes(resize);
  void* memory = bytes ? take(bytes) : nullptr;
  strip = memory ? (uint8_t*)take(uint64_t(picture_width) * rows * 4) : nullptr;
  if (strip) resize_begin(resize, memory);
  return strip;
}
EXPORT(add_rows) void add_rows(uint32_t count) { resize_rows(resize, strip, count); }
// Ends it: the pixels that the network sees, 8 bits each; its input is set.
EXPORT(end_picture) const uint8_t* end_picture() {
  resize_end(resize, pixels);
  const uint32_t channels = input.channels, count = input.height * input.width;
  float* to = (float*)input.data;
  for (uint32_t i = 0; i < count; i++)
    for (uint32_t c = 0; c < channels; c++)
      to[(turned ? count - 1 - i : i) * channels + c] = (float(pixels[i * channels + c]) / 255.f - mean[c]) / deviation[c];
  return pixels;
}

// One inference; `ticks`, of each step, get the nanoseconds that it took added, unless they are null.
EXPORT(run) const float* run(uint64_t* ticks) {
  const runner_profile profile = {nanoseconds, ticks};
  runner_run(engine, &pool, ticks ? &profile : nullptr, nullptr);
  return (const float*)output.data;
}
// Zeros for `run`; they are there until the next picture.
EXPORT(new_ticks) uint64_t* new_ticks() {
  uint64_t* ticks = (uint64_t*)take(uint64_t(steps()) * 8);
  for (uint32_t i = 0; ticks && i < steps(); i++) ticks[i] = 0;
  return ticks;
}
