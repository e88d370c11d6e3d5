// Runs plans that anybody may have made, one after the other, with memory of exactly the size that the engine asks for:
// a sanitizer sees whatever is read or written outside of it. The file that its argument names holds plans, each behind
// its size in 8 bytes. Prints a line for each: the engine's status, or "ran".
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/core.h"

static const uint64_t MOST_MEMORY = uint64_t(1) << 26;

static int run(const void* plan, uint64_t size, const char* kernels) {
  int status = runner_check(plan, size);
  if (status) return status;
  const runner_kernels* chosen = runner_choose(kernels, ~uint64_t(0));
  const uint64_t bytes = chosen ? runner_memory(plan, chosen, 1) : 0;
  if (!bytes || bytes > MOST_MEMORY) return RUNNER_TOO_LARGE;
  void* memory = aligned_alloc(64, bytes);
  memset(memory, 0x5a, bytes);
  runner_engine* engine;
  status = runner_load(plan, size, chosen, 1, memory, bytes, &engine);
  if (!status) {
    runner_view view;
    for (uint32_t i = 0; runner_tensor(engine, i, &view); i++)
      if (i < runner_inputs(engine)) memset(view.data, 0x3f, view.bytes);
    for (uint32_t step = 0; step < runner_steps(engine); step++)
      if (strlen(runner_step_name(engine, step)) + strlen(runner_step_kind(engine, step)) == ~size_t(0)) abort();
    runner_run(engine, nullptr, nullptr, nullptr);
    runner_run(engine, nullptr, nullptr, nullptr);
  }
  free(memory);
  return status;
}

int main(int count, char** arguments) {
  if (count != 4) return 2;
  FILE* file = fopen(arguments[1], "rb");
  const unsigned seconds = unsigned(atoi(arguments[3]));
  uint64_t size;
  while (file && fread(&size, 8, 1, file) == 1) {
    char* plan = (char*)malloc(size ? size : 1);
    if (fread(plan, 1, size, file) != size) return 2;
    alarm(seconds);
    const int status = run(plan, size, arguments[2]);
    if (status) printf("%d\n", status);
    else puts("ran");
    fflush(stdout);
    free(plan);
  }
  return file ? 0 : 2;
}
