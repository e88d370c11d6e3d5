// What a tap adds to the sums of a tile, in assembly: compilers put some of its vectors away. Included by dotprod.cpp.
//
// Of pixels 0 and 1 and of vectors 0 to 3 of filters, parities that are not counted yet lie in v16 to v23. A step takes two
// words. It writes each parity one register further down, the first one to v24, as the carry needs the old one beside
// the new; and the next step writes them back.

#ifdef __ARM_FEATURE_DOTPROD
#define WITH_DOTPROD ""
#else
#define WITH_DOTPROD ".arch armv8.2-a+dotprod\n"  // No option tells all compilers, zig's least of all.
#endif

#define XOR(to, a, b) "eor v" #to ".16b, v" #a ".16b, v" #b ".16b\n"
#define COUNT(sum, bits, factor) "cnt v31.16b, v" #bits ".16b\n sdot %[" #sum "].4s, v31.16b, %[" #factor "].16b\n"
#define ADD_TWO(sum, even, odd, last, next, factor) \
  XOR(31, 29, even) XOR(next, 30, odd) "bsl v31.16b, v" #next ".16b, v" #last ".16b\n" COUNT(sum, 31, factor)
#define WEIGHTS(even, odd) "ldr q29, [%[w], #" #even "]\n ldr q30, [%[w], #" #odd "]\n"
#define TAKE_TWO "ldp q25, q27, [%[x0]], #32\n ldp q26, q28, [%[x1]], #32\n"
#define STEP_DOWN                                                                                     \
  TAKE_TWO                                                                                            \
  WEIGHTS(0, 64) ADD_TWO(s00, 25, 27, 16, 24, minus_four) ADD_TWO(s10, 26, 28, 17, 16, minus_four)    \
  WEIGHTS(16, 80) ADD_TWO(s01, 25, 27, 18, 17, minus_four) ADD_TWO(s11, 26, 28, 19, 18, minus_four)   \
  WEIGHTS(32, 96) ADD_TWO(s02, 25, 27, 20, 19, minus_four) ADD_TWO(s12, 26, 28, 21, 20, minus_four)   \
  WEIGHTS(48, 112) ADD_TWO(s03, 25, 27, 22, 21, minus_four) ADD_TWO(s13, 26, 28, 23, 22, minus_four)  \
  "add %[w], %[w], #128\n"
#define STEP_BACK                                                                         \
  TAKE_TWO                                                                                \
  WEIGHTS(48, 112) ADD_TWO(s13, 26, 28, 22, 23, four) ADD_TWO(s03, 25, 27, 21, 22, four)  \
  WEIGHTS(32, 96) ADD_TWO(s12, 26, 28, 20, 21, four) ADD_TWO(s02, 25, 27, 19, 20, four)   \
  WEIGHTS(16, 80) ADD_TWO(s11, 26, 28, 18, 19, four) ADD_TWO(s01, 25, 27, 17, 18, four)   \
  WEIGHTS(0, 64) ADD_TWO(s10, 26, 28, 16, 17, four) ADD_TWO(s00, 25, 27, 24, 16, four)    \
  "add %[w], %[w], #128\n"
#define TAKE_ONE_VECTOR(place, to, to_1) "ldr q29, [%[w], #" #place "]\n" XOR(to, 29, 25) XOR(to_1, 29, 26)
#define TAKE_ONE                                                                                              \
  "ldr q25, [%[x0]], #16\n ldr q26, [%[x1]], #16\n"                                                           \
  TAKE_ONE_VECTOR(0, 16, 17) TAKE_ONE_VECTOR(16, 18, 19) TAKE_ONE_VECTOR(32, 20, 21) TAKE_ONE_VECTOR(48, 22, 23) \
  "add %[w], %[w], #64\n"
#define COUNT_ALL(a, b, c, d, e, f, g, h, factor)                                                       \
  COUNT(s00, a, factor) COUNT(s10, b, factor) COUNT(s01, c, factor) COUNT(s11, d, factor)               \
  COUNT(s02, e, factor) COUNT(s12, f, factor) COUNT(s03, g, factor) COUNT(s13, h, factor)

// A word, twice `pairs` steps of two words and, where `tail` says so, one more step and a word that is counted alone.
enum Tail : u64 { STEP = 1, SINGLE = 2 };
INLINE void add_tap(int32x4_t (*sums)[VECTORS], const Word* x0, const Word* x1, const Bits* w, u64 pairs, u64 tail) {
  const int8x16_t minus_two = vdupq_n_s8(-2), two = vdupq_n_s8(2), minus_four = vdupq_n_s8(-4), four = vdupq_n_s8(4);
  __asm__ volatile(
      WITH_DOTPROD TAKE_ONE
      "cbz %[pairs], 2f\n"
      "1:\n" STEP_DOWN STEP_BACK
      "subs %[pairs], %[pairs], #1\n b.ne 1b\n"
      "2: tbz %[tail], #0, 3f\n" STEP_DOWN COUNT_ALL(24, 16, 17, 18, 19, 20, 21, 22, two)
      "b 4f\n"
      "3:\n" COUNT_ALL(16, 17, 18, 19, 20, 21, 22, 23, minus_two)
      "4: tbz %[tail], #1, 5f\n" TAKE_ONE COUNT_ALL(16, 17, 18, 19, 20, 21, 22, 23, minus_two)
      "5:\n"
      : [s00] "+&w"(sums[0][0]), [s01] "+&w"(sums[0][1]), [s02] "+&w"(sums[0][2]), [s03] "+&w"(sums[0][3]),
        [s10] "+&w"(sums[1][0]), [s11] "+&w"(sums[1][1]), [s12] "+&w"(sums[1][2]), [s13] "+&w"(sums[1][3]),
        [x0] "+&r"(x0), [x1] "+&r"(x1), [w] "+&r"(w), [pairs] "+&r"(pairs)
      : [tail] "r"(tail), [minus_two] "w"(minus_two), [two] "w"(two), [minus_four] "w"(minus_four), [four] "w"(four)
      : "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31",
        "cc", "memory");
}
