// The command line program: takes the flags of TFLite's benchmark_model and prints its lines.
//
//   runner --graph=PLAN [--num_threads=N] [--enable_op_profiling=true] ...    how long an inference takes
//   runner --graph=PLAN --input=IMAGES --output=ANSWERS                       what it answers
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags.h"
#include "host.h"
#include "statistics.h"

namespace {

// A size of this process in MB as Linux tells it, "VmRSS:" now or "VmHWM:" at most so far; negative if it does not.
double memory_mb(const char* field) {
  char line[256];
  double found = -1;
  FILE* file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, field, strlen(field))) found = strtod(line + strlen(field), nullptr) / 1024;
  if (file) fclose(file);
  return found;
}

// Random numbers from 0 to 1: zeros would be kinder to a network than images are.
void fill_inputs(Session* session) {
  uint32_t state = 1;
  runner_view view;
  for (uint32_t i = 0; i < runner_inputs(session->engine) && runner_tensor(session->engine, i, &view); i++)
    for (uint64_t k = 0; k < view.bytes / sizeof(float); k++) {
      state = state * 1664525u + 1013904223u;
      ((float*)view.data)[k] = float(state >> 8) / float(1 << 24);
    }
}

struct Profile {
  uint32_t steps;
  uint64_t* ticks;    // Of one inference.
  Statistics* times;  // Of each step, microseconds.
  Statistics whole;   // Of all steps together.
};

bool open_profile(const Session& session, Profile* profile) {
  profile->steps = runner_steps(session.engine);
  profile->ticks = (uint64_t*)malloc(sizeof(uint64_t) * (profile->steps + 1));
  profile->times = (Statistics*)malloc(sizeof(Statistics) * (profile->steps + 1));
  for (uint32_t i = 0; profile->times && i < profile->steps; i++) profile->times[i] = Statistics();
  return profile->ticks && profile->times;
}

// Microseconds of one inference. `profile` may be null.
double run(Session* session, Profile* profile) {
  if (profile) memset(profile->ticks, 0, sizeof(uint64_t) * profile->steps);
  const runner_profile ticks = {nanoseconds, profile ? profile->ticks : nullptr};
  const uint64_t before = nanoseconds();
  run_session(session, profile ? &ticks : nullptr);
  const double us = double(nanoseconds() - before) / 1000;
  double sum = 0;
  for (uint32_t i = 0; profile && i < profile->steps; i++) {
    profile->times[i].add(double(profile->ticks[i]) / 1000);
    sum += double(profile->ticks[i]) / 1000;
  }
  if (profile) profile->whole.add(sum);
  return us;
}

// So many inferences at least, for so long at least, but not for longer than `most` seconds. `profile` and `percentiles`
// may be null.
Statistics measure(Session* session, Profile* profile, Percentiles* percentiles, long runs, double seconds, double most) {
  Statistics times;
  while (times.total < most * 1e6 && (times.count < runs || times.total < seconds * 1e6)) {
    const double us = run(session, profile);
    times.add(us);
    if (percentiles) percentiles->add(us);
  }
  times.print("INFO: ", percentiles);
  fflush(stdout);
  return times;
}

void print_title(const char* title) { printf("============================== %s ==============================\n", title); }

void print_profile(const Session& session, const Profile& profile) {
  const double whole = profile.whole.mean() > 0 ? profile.whole.mean() : 1;
  printf("INFO: Operator-wise Profiling Info for Regular Benchmark Runs:\n");
  print_title("Run Order");
  printf("\t[node type]\t[first]\t[avg ms]\t[%%]\t[cdf%%]\t[times called]\t[Name]\n");
  double until = 0;
  for (uint32_t i = 0; i < profile.steps; i++) {
    const double mean = profile.times[i].mean();
    until += mean;
    printf("\t%s\t%.4f\t%.4f\t%.3f%%\t%.3f%%\t1\t[%s]:%u\n", runner_step_kind(session.engine, i),
           profile.times[i].first / 1000, mean / 1000, 100 * mean / whole, 100 * until / whole,
           runner_step_name(session.engine, i), i);
  }
  print_title("Summary by node type");
  printf("\t[Node type]\t[count]\t[avg ms]\t[avg %%]\t[cdf %%]\t[times called]\n");
  until = 0;
  bool* printed = (bool*)calloc(profile.steps + 1, 1);
  for (;;) {  // The kind that takes longest of those that are left.
    const char* kind = nullptr;
    double most = -1;
    uint32_t count = 0;
    for (uint32_t i = 0; printed && i < profile.steps; i++) {
      if (printed[i]) continue;
      double sum = 0;
      uint32_t same = 0;
      for (uint32_t k = i; k < profile.steps; k++)
        if (!strcmp(runner_step_kind(session.engine, i), runner_step_kind(session.engine, k)))
          sum += profile.times[k].mean(), same++;
      if (sum > most) kind = runner_step_kind(session.engine, i), most = sum, count = same;
    }
    if (!kind) break;
    for (uint32_t i = 0; i < profile.steps; i++)
      if (!strcmp(runner_step_kind(session.engine, i), kind)) printed[i] = true;
    until += most;
    printf("\t%s\t%u\t%.4f\t%.3f%%\t%.3f%%\t%u\n", kind, count, most / 1000, 100 * most / whole, 100 * until / whole, count);
  }
  free(printed);
  printf("Number of nodes executed: %u\n", profile.steps);
  profile.whole.print("Timings (microseconds): ");
}

int benchmark(Session* session, const Flags& flags, double init_us, double memory_before) {
  Profile profile = {};
  if (flags.enable_op_profiling && !open_profile(*session, &profile)) return 1;
  printf("INFO: The input model file size (MB): %g\nINFO: Initialized session in %gms.\n", double(session->size) / 1e6,
         init_us / 1000);
  const double memory_init = memory_mb("VmHWM:");
  fill_inputs(session);
  const Statistics warmup = measure(session, nullptr, nullptr, flags.warmup_runs, flags.warmup_runs ? flags.warmup_min_secs : 0, flags.max_secs);
  static Percentiles percentiles;  // Too large for a stack.
  const Statistics runs = measure(session, flags.enable_op_profiling ? &profile : nullptr, &percentiles, flags.num_runs,
                                  flags.min_secs, flags.max_secs);
  printf("INFO: Inference timings in us: Init: %g, First inference: %g, Warmup (avg): %g, Inference (avg): %g\n", init_us,
         warmup.count ? warmup.first : runs.first, warmup.mean(), runs.mean());
  if (memory_before >= 0)
    printf("INFO: Memory footprint delta from the start of the tool (MB): init=%g overall=%g\n",
           memory_init - memory_before, memory_mb("VmHWM:") - memory_before);
  if (flags.enable_op_profiling) print_profile(*session, profile);
  free(profile.ticks);
  free(profile.times);
  return 0;
}

// Neither NaN nor infinite, of which a sign would make an ordinary answer.
bool all_finite(const void* values, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 4) {
    uint32_t bits;
    memcpy(&bits, (const char*)values + i, 4);
    if ((bits & 0x7f800000) == 0x7f800000) return false;
  }
  return true;
}

// Whole images of raw float32 in, raw float32 out, one after the other.
int answer(Session* session, const Flags& flags) {
  runner_view image, result;
  if (runner_inputs(session->engine) != 1 || !runner_tensor(session->engine, 0, &image)) {
    fprintf(stderr, "ERROR: %s: has several inputs, and --input gives one\n", flags.graph);
    return 1;
  }
  FILE* in = fopen(flags.input, "rb");
  FILE* out = in && flags.output ? fopen(flags.output, "wb") : nullptr;  // What is there stays if there is no input.
  if (!in || !out) {
    fprintf(stderr, "ERROR: cannot open %s\n", !in ? flags.input : flags.output ? flags.output : "a file without --output");
    if (in) fclose(in);
    return 1;
  }
  long images = 0;
  size_t got;
  bool written = true, finite = true;
  while (written && (got = fread(image.data, 1, image.bytes, in)) == image.bytes) {
    finite = all_finite(image.data, image.bytes);
    if (!finite) break;
    run_session(session, nullptr);
    for (uint32_t i = 0; i < runner_outputs(session->engine); i++) {
      runner_tensor(session->engine, 1 + i, &result);
      written = fwrite(result.data, 1, result.bytes, out) == result.bytes && written;
    }
    images++;
  }
  fclose(in);
  written = !fclose(out) && written;
  if (!written) fprintf(stderr, "ERROR: cannot write %s\n", flags.output);
  else if (!finite) fprintf(stderr, "ERROR: %s: NaN or infinity in image %ld\n", flags.input, images);
  else if (got) fprintf(stderr, "ERROR: %s: ends in the middle of image %ld\n", flags.input, images);
  else printf("INFO: Answered %ld images.\n", images);
  return written && finite && !got ? 0 : 1;
}

int run_program(const Flags& flags) {
  const double memory_before = memory_mb("VmRSS:");
  if (flags.cpu_list && !bind_to(flags.cpu_list)) {
    fprintf(stderr, "ERROR: cannot run on the processors %s\n", flags.cpu_list);
    return 1;
  }
  Session session;
  const uint64_t start = nanoseconds();
  const int status = open_session(&session, flags.graph, nullptr, 0, flags.kernels, uint32_t(flags.num_threads));
  const double init_us = double(nanoseconds() - start) / 1000;
  if (status) {
    fprintf(stderr, "ERROR: %s: %s\n", flags.graph, status_text(status));
    return 1;
  }
  printf("INFO: Kernels: %s\nINFO: Num threads: [%ld]\n", runner_name(session.kernels), flags.num_threads);
  const int result = flags.input ? answer(&session, flags) : benchmark(&session, flags, init_us, memory_before);
  close_session(&session);
  return result;
}

}  // namespace

int main(int count, char** arguments) {
  if (print_help(count, arguments)) return 0;
  printf("STARTING!\n");
  Flags flags;
  const int result = parse(count, arguments, &flags) ? run_program(flags) : 1;
  if (result) printf("Benchmarking failed.\n");
  return result;
}
