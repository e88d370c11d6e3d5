// The shared library that android_demo/runner/interpreter.py loads.
#include <stdlib.h>
#include <string.h>

#include "host.h"

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

EXPORT Session* session_open(const void* plan, uint64_t size, const char* kernels, uint32_t threads, int* status) {
  Session* session = (Session*)malloc(sizeof(Session));
  *status = session ? open_session(session, nullptr, plan, size, kernels, threads) : RUNNER_NO_MEMORY;
  if (*status) {
    free(session);
    return nullptr;
  }
  return session;
}

EXPORT void session_close(Session* session) {
  close_session(session);
  free(session);
}

// Whether a tensor of that number was there and of that size: inputs are copied into the engine's memory ...
EXPORT int session_write(Session* session, uint32_t tensor, const void* data, uint64_t bytes) {
  runner_view view;
  if (!runner_tensor(session->engine, tensor, &view) || view.bytes != bytes) return 0;
  memcpy(view.data, data, bytes);
  return 1;
}

// ... and outputs out of it.
EXPORT int session_read(Session* session, uint32_t tensor, void* data, uint64_t bytes) {
  runner_view view;
  if (!runner_tensor(session->engine, tensor, &view) || view.bytes != bytes) return 0;
  memcpy(data, view.data, bytes);
  return 1;
}

// `ticks`: nanoseconds of each step, added to; or null.
EXPORT void session_run(Session* session, uint64_t* ticks) {
  const runner_profile profile = {nanoseconds, ticks};
  run_session(session, ticks ? &profile : nullptr);
}

EXPORT uint64_t session_bytes(const Session* session) { return session->bytes; }
EXPORT const char* session_kernels(const Session* session) { return runner_name(session->kernels); }
EXPORT uint32_t session_steps(const Session* session) { return runner_steps(session->engine); }
EXPORT const char* session_step_kind(const Session* session, uint32_t step) {
  return runner_step_kind(session->engine, step);
}
EXPORT const char* session_step_name(const Session* session, uint32_t step) {
  return runner_step_name(session->engine, step);
}
EXPORT const char* session_status_text(int status) { return status_text(status); }
