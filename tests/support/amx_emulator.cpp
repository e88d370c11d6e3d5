// A CPU with AVX-512 as one with AMX, too: its instructions, which the CPU refuses, are carried out here, one signal
// each. Linked into the engine in place of `cpu_features`. Where the CPU has AMX, nothing is emulated.
//
// After Intel's Architecture Instruction Set Extensions Programming Reference (319433), chapter 3. What that calls a
// fault, a register that is used before LDTILECFG, say, ends the process by SIGILL.
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "hosts/host.h"
#include "kernels/kernels.h"

uint64_t features_of_this_cpu();  // hosts/cpu.cpp, by another name.

namespace {

struct Tiles {
  bool configured;
  uint16_t bytes[8];
  uint8_t rows[8];
  uint8_t data[8][16][64];
};
// Each thread's, made when it first loads a configuration. A library that is loaded late has place for a pointer only.
thread_local Tiles* own __attribute__((tls_model("initial-exec")));

constexpr int REGISTERS[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                             REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

// An instruction of the form C4, two bytes of prefix, opcode, ModRM: `end` is behind it.
struct Instruction {
  uint8_t prefix, opcode, mod, reg, rm;  // The prefix's last two bits: 0 none, 1 66, 2 F3, 3 F2.
  uint8_t third;                         // The register in the prefix.
  const uint8_t *base, *end;             // The operand in memory, and what follows the instruction.
  int64_t step;                          // The index, scaled: from a row to the next.
};

bool decode(const uint8_t* code, const greg_t* registers, Instruction* i) {
  if (code[0] != 0xc4 || (code[1] & 31) != 2 || code[2] & 0x84) return false;  // Of 0F38, W0, 128 bits.
  const int r = code[1] & 0x80 ? 0 : 8, x = code[1] & 0x40 ? 0 : 8, b = code[1] & 0x20 ? 0 : 8;
  i->prefix = code[2] & 3, i->third = ~code[2] >> 3 & 15, i->opcode = code[3];
  i->mod = code[4] >> 6, i->reg = (code[4] >> 3 & 7) + r, i->rm = code[4] & 7;
  const uint8_t* at = code + 5;
  i->step = 0;
  int64_t address = 0;
  if (i->mod == 3) i->rm += b;
  else {
    int base = i->rm + b;
    if (i->rm == 4) {
      const uint8_t sib = *at++;
      base = (sib & 7) + b;
      const int index = (sib >> 3 & 7) + x;
      if (index != 4) i->step = registers[REGISTERS[index]] << (sib >> 6);
    }
    const bool no_base = i->mod == 0 && (base & 7) == 5;
    int32_t wide = 0;
    if (i->mod == 1) wide = (int8_t)*at++;
    else if (i->mod == 2 || no_base) memcpy(&wide, at, 4), at += 4;
    address = wide;
    if (!no_base) address += registers[REGISTERS[base]];
    else if (i->rm != 4) address += (int64_t)at;
  }
  i->base = (const uint8_t*)address, i->end = at;
  return true;
}

bool configure(const uint8_t* from) {
  // No signal comes from within calloc: it is this thread's own instruction that is refused.
  if (!own) own = (Tiles*)calloc(1, sizeof(Tiles));
  if (!own) return false;
  Tiles& tiles = *own;
  if (from[0] != 1 || from[1]) return false;
  for (int t = 0; t < 8; t++) {
    memcpy(&tiles.bytes[t], from + 16 + 2 * t, 2), tiles.rows[t] = from[48 + t];
    if (tiles.bytes[t] > 64 || tiles.rows[t] > 16) return false;
  }
  memset(tiles.data, 0, sizeof tiles.data);
  return tiles.configured = true;
}

bool is_used(int tile) { return tile < 8 && own && own->configured && own->rows[tile]; }

bool multiply(int sums, int a, int b) {
  if (!is_used(sums) || !is_used(a) || !is_used(b) || sums == a || sums == b || a == b) return false;
  Tiles& tiles = *own;
  const bool fit = tiles.rows[sums] == tiles.rows[a] && tiles.bytes[sums] == tiles.bytes[b];
  if (!fit || tiles.bytes[a] / 4 != tiles.rows[b]) return false;
  for (int m = 0; m < tiles.rows[sums]; m++) {
    int32_t row[16];
    memcpy(row, tiles.data[sums][m], sizeof row);
    for (int k = 0; k < tiles.bytes[a] / 4; k++)
      for (int n = 0; n < tiles.bytes[sums] / 4; n++) {
        const int8_t *signs = (int8_t*)&tiles.data[a][m][4 * k], *weights = (int8_t*)&tiles.data[b][k][4 * n];
        for (int j = 0; j < 4; j++) row[n] += signs[j] * weights[j];
      }
    memcpy(tiles.data[sums][m], row, sizeof row);
  }
  return true;
}

bool carry_out(const Instruction& i) {
  const uint32_t what = uint32_t(i.opcode) << 8 | i.prefix;
  const bool in_memory = i.mod != 3;
  switch (what) {
    case 0x4900:  // LDTILECFG, TILERELEASE
      if (in_memory) return configure(i.base);
      if (own) own->configured = false;
      return true;
    case 0x4903:  // TILEZERO
      if (in_memory || !is_used(i.reg)) return false;
      memset(own->data[i.reg], 0, sizeof own->data[i.reg]);
      return true;
    case 0x4b03:  // TILELOADD
      if (!in_memory || !is_used(i.reg)) return false;
      for (int row = 0; row < own->rows[i.reg]; row++)
        memcpy(own->data[i.reg][row], i.base + row * i.step, own->bytes[i.reg]);
      return true;
    case 0x4b02:  // TILESTORED
      if (!in_memory || !is_used(i.reg)) return false;
      for (int row = 0; row < own->rows[i.reg]; row++)
        memcpy((uint8_t*)i.base + row * i.step, own->data[i.reg][row], own->bytes[i.reg]);
      return true;
    case 0x5e03:  // TDPBSSD
      return !in_memory && multiply(i.reg, i.rm, i.third);
  }
  return false;
}

void on_refused_instruction(int, siginfo_t*, void* context) {
  greg_t* const registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  Instruction instruction;
  if (decode((const uint8_t*)registers[REG_RIP], registers, &instruction) && carry_out(instruction)) {
    registers[REG_RIP] = (greg_t)instruction.end;
    return;
  }
  signal(SIGILL, SIG_DFL);  // The instruction is refused once more.
}

__attribute__((constructor)) void begin() {
  if (features_of_this_cpu() & runner::CPU_AMX) return;
  struct sigaction action = {};
  action.sa_sigaction = on_refused_instruction, action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
}

}  // namespace

uint64_t cpu_features() {
  const uint64_t features = features_of_this_cpu();
  return features & runner::CPU_AVX512 ? features | runner::CPU_AMX : features;
}
