// Decides whether bytes are a plan.
#pragma once
#include "plan.h"

namespace runner {

// RUNNER_OK, or what is wrong. Without the checksum, which reads every byte, it takes no time, and what it lets pass may
// be wrong but is harmless.
int check(const void* bytes, u64 size, bool with_checksum);

}  // namespace runner
