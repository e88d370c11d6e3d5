// What the program is told on its command line, --name=value, with the names of TFLite's benchmark_model.
#pragma once

struct Flags {
  const char* graph = nullptr;
  const char* kernels = nullptr;   // Their name; null for the best.
  const char* input = nullptr;     // A file of images: then answers are computed instead of times.
  const char* output = nullptr;
  const char* cpu_list = nullptr;  // "4-7" or "0,2": processors to run on.
  long num_threads = 1, num_runs = 50, warmup_runs = 1;
  double min_secs = 1.0, warmup_min_secs = 0.5, max_secs = 150.0;
  bool enable_op_profiling = false;
};

// Whether --help is among the arguments. Then it has been printed.
bool print_help(int count, char** arguments);
// Prints what is wrong, or that a flag is not known, which is no error. False if it makes no sense.
bool parse(int count, char** arguments, Flags* flags);
// Binds this process, and the threads that it starts from now on, to processors. False if it cannot.
bool bind_to(const char* cpu_list);
