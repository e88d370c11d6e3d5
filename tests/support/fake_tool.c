/* Stands in for lce_benchmark_model, of which no package exists: its arguments, its output, some of its ends.
 *
 * An inference is a pass of exclusive-or and popcount over the model's bytes. Further arguments, which the real tool does
 * not know: --crash=segv|ill|fail|silent|profile, --hang, --slower=MS (every start sleeps so much longer per inference than the
 * one before; counted in a file beside the model). ill executes UDOT, which a Cortex-A53 does not have.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static long inference(const unsigned char *bytes, long size) {
  long ones = 0;
  for (long i = 1; i < size; i++) ones += __builtin_popcount(bytes[i] ^ bytes[i - 1]);
  return ones;
}

static volatile long sink;

static double series(const unsigned char *bytes, long size, int runs, int slower_us, double *first) {
  double sum = 0, squares = 0, least = 1e30, most = 0, last = 0;
  for (int i = 0; i < runs; i++) {
    double start = now_us();
    sink += inference(bytes, size);
    usleep(1000 + slower_us);
    last = now_us() - start;
    if (i == 0) *first = last;
    sum += last, squares += last * last;
    least = last < least ? last : least, most = last > most ? last : most;
  }
  double mean = sum / runs, variance = squares / runs - mean * mean;
  printf("INFO: count=%d first=%g curr=%g min=%g max=%g avg=%g std=%d\n\n", runs, *first, last, least, most, mean,
         (int)sqrt(variance > 0 ? variance : 0));
  return mean;
}

int main(int argc, char **argv) {
  const char *graph = NULL, *crash = "";
  int runs = 50, warmup = 1, threads = -1, profiling = 0, hang = 0, slower = 0;
  printf("STARTING!\n");
  for (int i = 1; i < argc; i++) {
    const char *value = strchr(argv[i], '=');
    value = value ? value + 1 : "";
    if (!strncmp(argv[i], "--graph=", 8)) graph = value;
    else if (!strncmp(argv[i], "--num_threads=", 14)) threads = atoi(value);
    else if (!strncmp(argv[i], "--num_runs=", 11)) runs = atoi(value);
    else if (!strncmp(argv[i], "--warmup_runs=", 14)) warmup = atoi(value);
    else if (!strncmp(argv[i], "--enable_op_profiling=", 22)) profiling = !strcmp(value, "true");
    else if (!strncmp(argv[i], "--crash=", 8)) crash = value;
    else if (!strcmp(argv[i], "--hang")) hang = 1;
    else if (!strncmp(argv[i], "--slower=", 9)) slower = atoi(value);
    else printf("WARN: Unconsumed cmdline flags: %s\n", argv[i]);
  }
  printf("INFO: Graph: [%s]\nINFO: #threads used for CPU inference: [%d]\n", graph ? graph : "", threads);
  fflush(stdout);
  FILE *file = graph ? fopen(graph, "rb") : NULL;
  if (file == NULL) {
    fprintf(stderr, "ERROR: Could not open '%s'.\nERROR: Failed to load model: %s\n", graph, graph);
    printf("Benchmarking failed.\n");
    return 1;
  }
  static unsigned char bytes[1 << 24];
  long size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  if (!strcmp(crash, "segv")) {
    raise(SIGSEGV);
  } else if (!strcmp(crash, "ill")) {
#ifdef __aarch64__
    __asm__ volatile(".inst 0x6e809400" ::: "v0"); /* udot v0.4s, v0.16b, v0.16b */
#endif
  } else if (!strcmp(crash, "fail")) {
    fprintf(stderr, "ERROR: Encountered unresolved custom op: LceBconv2d.\n");
    printf("Benchmarking failed.\n");
    return 1;
  } else if (!strcmp(crash, "silent")) {
    return 0;
  }
  if (hang) fclose(fopen("hanging", "w"));
  while (hang) sleep(1);
  int starts = 0;
  if (slower) {
    FILE *counter = fopen("starts", "a+");
    fputc('x', counter);
    starts = ftell(counter) - 1;
    fclose(counter);
  }
  printf("INFO: The input model file size (MB): %g\nINFO: Initialized session in 5.25ms.\n", size / 1e6);
  double first = 0, other = 0, before = 0;
  if (warmup) before = series(bytes, size, warmup, starts * slower * 1000, &first);
  double mean = series(bytes, size, runs, starts * slower * 1000, warmup ? &other : &first);
  printf("INFO: Inference timings in us: Init: 5250, First inference: %g, Warmup (avg): %g, Inference (avg): %g\n", first,
         before, mean);
  printf("INFO: Memory footprint delta from the start of the tool (MB): init=1.5 overall=2.25\n");
  if (profiling && !strcmp(crash, "profile")) raise(SIGSEGV);
  if (profiling) {
    printf("INFO: Operator-wise Profiling Info for Regular Benchmark Runs:\n");
    printf("============================== Run Order ==============================\n");
    printf("\t             [node type]\t  [first]\t [avg ms]\t     [%%]\t  [cdf%%]\t  [mem KB]\t[times called]\t[Name]\n");
    printf("\t             LceQuantize\t    0.100\t    0.100\t 25.000%%\t 25.000%%\t     0.000\t        1\t[a]:0\n");
    printf("\t              LceBconv2d\t    0.300\t    0.300\t 75.000%%\t100.000%%\t     0.000\t        1\t[b]:1\n\n");
    printf("Number of nodes executed: 2\n");
  }
  return 0;
}
