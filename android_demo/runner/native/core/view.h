// A plan's sections as arrays.
#pragma once
#include "../kernels/kernels.h"
#include "plan.h"

namespace runner {

struct PlanView {
  const Header* header;
  const Tensor* tensors;
  const Step* steps;
  const u32* words;
  const char* names;
  const u8* data;
  explicit PlanView(const void* plan)
      : header((const Header*)plan),
        tensors((const Tensor*)((const u8*)plan + header->tensors.offset)),
        steps((const Step*)((const u8*)plan + header->steps.offset)),
        words((const u32*)((const u8*)plan + header->words.offset)),
        names((const char*)plan + header->names.offset),
        data((const u8*)plan + header->data.offset) {}
};

// How many operands an operation reads.
inline u32 operands_of(Op op) {
  switch (op) {
    case OP_AFFINE_PRELU: return 4;
    case OP_AFFINE:
    case OP_FMA: return 3;
    case OP_COPY:
    case OP_LOGISTIC:
    case OP_EXP:
    case OP_SQRT:
    case OP_TANH:
    case OP_UNPACK:
    case OP_MEAN_POOL: return 1;
    default: return 2;
  }
}

}  // namespace runner
