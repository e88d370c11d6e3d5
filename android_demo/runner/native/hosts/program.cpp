// The command line program, with the flags and lines of TFLite's benchmark_model.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

namespace {

struct Settings {
  const char *graph, *kernels, *input, *output;
  long num_threads, num_runs, warmup_runs;
  double min_secs;
};

bool flag(const char* argument, const char* name, const char** value) {
  const size_t n = strlen(name);
  if (strncmp(argument, "--", 2) || strncmp(argument + 2, name, n) || argument[2 + n] != '=') return false;
  *value = argument + 3 + n;
  return true;
}

bool parse(int count, char** arguments, Settings* s) {
  *s = {nullptr, nullptr, nullptr, nullptr, 1, 50, 1, 1.0};
  for (int i = 1; i < count; i++) {
    const char* value;
    if (flag(arguments[i], "graph", &s->graph) || flag(arguments[i], "kernels", &s->kernels) ||
        flag(arguments[i], "input", &s->input) || flag(arguments[i], "output", &s->output))
      continue;
    if (flag(arguments[i], "num_threads", &value)) s->num_threads = strtol(value, nullptr, 10);
    else if (flag(arguments[i], "num_runs", &value)) s->num_runs = strtol(value, nullptr, 10);
    else if (flag(arguments[i], "warmup_runs", &value)) s->warmup_runs = strtol(value, nullptr, 10);
    else if (flag(arguments[i], "min_secs", &value)) s->min_secs = strtod(value, nullptr);
    else printf("WARN: Unconsumed cmdline flags: %s\n", arguments[i]);
  }
  if (s->num_threads < 1) s->num_threads = 1;
  return s->graph != nullptr;
}

struct Statistics {
  long count;
  double first, current, least, most, total, squares;
  void add(double us) {
    if (!count++) first = least = most = us;
    current = us, total += us, squares += us * us;
    if (us < least) least = us;
    if (us > most) most = us;
  }
  double mean() const { return count ? total / count : 0; }
  void print() const {
    if (!count) {
      printf("INFO: count=0\n");
      return;
    }
    double variance = squares / count - mean() * mean(), deviation = variance > 0 ? variance : 0;
    for (int i = 0; i < 60 && variance > 0; i++) deviation = (deviation + variance / deviation) / 2;  // Its root.
    printf("INFO: count=%ld first=%g curr=%g min=%g max=%g avg=%g std=%g\n", count, first, current, least, most, mean(),
           deviation);
  }
};

double run(Session* session) {
  const uint64_t before = nanoseconds();
  run_session(session, nullptr);
  return double(nanoseconds() - before) / 1000;
}

// Whole images of raw float32 in, raw float32 out, one after the other.
int convert(Session* session, const Settings& s) {
  FILE *in = fopen(s.input, "rb"), *out = s.output ? fopen(s.output, "wb") : stdout;
  runner_view image, answer;
  if (!in || !out || runner_inputs(session->engine) != 1 || !runner_tensor(session->engine, 0, &image)) {
    fprintf(stderr, "ERROR: cannot open %s\n", in ? s.output : s.input);
    return 1;
  }
  bool whole = true;
  for (;;) {
    const size_t got = fread(image.data, 1, image.bytes, in);
    if (got != image.bytes) {
      whole = got == 0;
      break;
    }
    run_session(session, nullptr);
    for (uint32_t i = 0; i < runner_outputs(session->engine); i++) {
      runner_tensor(session->engine, 1 + i, &answer);
      whole = fwrite(answer.data, 1, answer.bytes, out) == answer.bytes && whole;
    }
  }
  fclose(in);
  if (fclose(out)) whole = false;
  if (!whole) fprintf(stderr, "ERROR: %s is no whole number of images, or %s cannot be written\n", s.input, s.output);
  return whole ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  Settings s;
  if (!parse(count, arguments, &s)) {
    fprintf(stderr, "ERROR: Please specify the name of the plan with --graph=PLAN\n");
    return 1;
  }
  Session session;
  const uint64_t start = nanoseconds();
  const int status = open_session(&session, s.graph, nullptr, 0, s.kernels, uint32_t(s.num_threads));
  const double init = double(nanoseconds() - start) / 1000;
  if (status) {
    fprintf(stderr, "ERROR: %s: %s\n", s.graph, status_text(status));
    if (!s.input) printf("Benchmarking failed.\n");
    return 1;
  }
  if (s.input) {
    const int result = convert(&session, s);
    close_session(&session);
    return result;
  }
  printf("INFO: STARTING!\nINFO: Kernels: %s\nINFO: Num threads: [%ld]\n", runner_name(session.kernels), s.num_threads);
  printf("INFO: The input model file size (MB): %g\nINFO: Initialized session in %gms.\n", double(session.size) / 1e6,
         init / 1000);
  Statistics warmup = {}, runs = {};
  for (long i = 0; i < s.warmup_runs; i++) warmup.add(run(&session));
  warmup.print();
  while (runs.count < s.num_runs || runs.total < s.min_secs * 1e6) runs.add(run(&session));
  runs.print();
  printf("INFO: Inference timings in us: Init: %g, First inference: %g, Warmup (avg): %g, Inference (avg): %g\n", init,
         warmup.count ? warmup.first : runs.first, warmup.mean(), runs.mean());
  close_session(&session);
  return 0;
}
