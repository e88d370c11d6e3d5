// A plugin for qemu's user mode: how often each translated block runs, one line a block when the program ends:
//
//   address of its first instruction (hexadecimal), number of instructions, number of runs
//
//   cc -O2 -shared -fPIC -o blocks.so blocks.c
//   BLOCKS=counts.txt qemu-aarch64 -plugin ./blocks.so PROGRAM ...
//
// qemu must be linked dynamically (Debian: qemu-user). Counts are exact for programs of one thread. What is used of the
// plugin interface, version 1, is declared here, since no package has its header.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum { QEMU_PLUGIN_INLINE_ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb*, int operation, void* counter, uint64_t amount);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void*), void*);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb*);

EXPORT int qemu_plugin_version = 1;

struct block {
  struct block* next;
  uint64_t address, instructions, runs;
};
static struct block* blocks;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
  (void)id;
  struct block* b = malloc(sizeof *b);
  if (!b) abort();
  *b = (struct block){blocks, qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb), 0};
  blocks = b;
  qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &b->runs, 1);
}

static void finished(qemu_plugin_id_t id, void* unused) {
  (void)id, (void)unused;
  FILE* out = fopen(getenv("BLOCKS"), "w");
  if (!out) abort();
  for (struct block* b = blocks; b; b = b->next)
    if (b->runs) fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->address, b->instructions, b->runs);
  fclose(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv) {
  (void)info, (void)argc, (void)argv;
  if (!getenv("BLOCKS")) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finished, NULL);
  return 0;
}
