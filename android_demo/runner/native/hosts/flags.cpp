#include "flags.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace {

// The value of --name=value, null if the argument is another one.
const char* value_of(const char* argument, const char* name) {
  const size_t length = strlen(name);
  const bool same = !strncmp(argument, "--", 2) && !strncmp(argument + 2, name, length) && argument[2 + length] == '=';
  return same ? argument + 3 + length : nullptr;
}

bool read_count(const char* text, long least, long* number) {
  char* end;
  *number = strtol(text, &end, 10);
  return *text && !*end && *number >= least && *number <= 1000000000;
}

bool read_seconds(const char* text, double* number) {
  char* end;
  *number = strtod(text, &end);
  return *text && !*end && *number >= 0 && *number <= 1e9;
}

const char HELP[] =
    "Runs a network's plan and prints its times as TensorFlow Lite's benchmark_model does, or answers images.\n"
    "\n"
    "  bnext-runner --graph=model.plan --num_threads=2 --cpu-list=4-7\n"
    "  bnext-runner --graph=model.plan --input=images --output=answers\n"
    "\n"
    "  --graph=PLAN                  the plan, as compile_plan of android_demo.runner makes it of a .tflite file\n"
    "  --num_threads=N               threads to run on (1)\n"
    "  --cpu-list=LIST               processors to run on: 4-7, or 0,2\n"
    "  --kernels=NAME                other kernels than the best ones of this CPU, such as reference\n"
    "  --num_runs=N                  inferences to time, at least (50)\n"
    "  --min_secs=S --max_secs=S     for so long at least (1) and at most (150)\n"
    "  --warmup_runs=N               inferences before them, at least (1)\n"
    "  --warmup_min_secs=S           for so long at least (0.5)\n"
    "  --enable_op_profiling=true    also prints what each step takes\n"
    "  --input=FILE --output=FILE    raw float32 images to answer instead, and their raw float32 answers\n"
    "\n"
    "Its exit status is 1 if something is wrong, otherwise 0. Flags that it does not know are named and passed over.\n";

}  // namespace

bool print_help(int count, char** arguments) {
  for (int i = 1; i < count; i++)
    if (!strcmp(arguments[i], "--help")) return fputs(HELP, stdout) >= 0;
  return false;
}

bool parse(int count, char** arguments, Flags* flags) {
  struct {
    const char* name;
    const char** value;
  } const texts[] = {{"graph", &flags->graph},   {"kernels", &flags->kernels},  {"input", &flags->input},
                     {"output", &flags->output}, {"cpu-list", &flags->cpu_list}};
  struct {
    const char* name;
    long least, *value;
  } const counts[] = {
      {"num_threads", 1, &flags->num_threads}, {"num_runs", 1, &flags->num_runs}, {"warmup_runs", 0, &flags->warmup_runs}};
  struct {
    const char* name;
    double* value;
  } const seconds[] = {
      {"min_secs", &flags->min_secs}, {"max_secs", &flags->max_secs}, {"warmup_min_secs", &flags->warmup_min_secs}};
  bool good = true;
  for (int i = 1; i < count; i++) {
    const char* value = nullptr;
    bool fits = true;
    for (const auto& flag : texts)
      if (const char* found = value_of(arguments[i], flag.name)) *flag.value = value = found;
    for (const auto& flag : counts)
      if (const char* found = value_of(arguments[i], flag.name)) fits = read_count(value = found, flag.least, flag.value);
    for (const auto& flag : seconds)
      if (const char* found = value_of(arguments[i], flag.name)) fits = read_seconds(value = found, flag.value);
    if (const char* found = value_of(arguments[i], "enable_op_profiling")) {
      flags->enable_op_profiling = !strcmp(value = found, "true");
      fits = flags->enable_op_profiling || !strcmp(found, "false");
    }
    if (!value) printf("WARN: Unconsumed cmdline flags: %s\n", arguments[i]);
    if (!fits) fprintf(stderr, "ERROR: %s: not a number that makes sense here\n", arguments[i]);
    good = good && fits;
  }
  if (!flags->graph) fprintf(stderr, "ERROR: Please specify the name of your plan with --graph=PLAN\n");
  return good && flags->graph;
}

bool bind_to(const char* cpu_list) {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const char* text = cpu_list;;) {
    char* end;
    const long first = strtol(text, &end, 10);
    long last = first;
    if (end == text) return false;
    if (*end == '-') last = strtol(text = end + 1, &end, 10);
    if (end == text || first < 0 || last < first || last >= CPU_SETSIZE) return false;
    for (long cpu = first; cpu <= last; cpu++) CPU_SET(cpu, &set);
    if (!*end) break;
    if (*end != ',') return false;
    text = end + 1;
  }
  return !sched_setaffinity(0, sizeof set, &set);
#else
  (void)cpu_list;
  return false;
#endif
}
