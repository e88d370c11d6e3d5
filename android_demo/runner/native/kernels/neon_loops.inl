// The inner loops of binary convolutions by table lookup, in assembly: compilers either spill a tile of four pairs or copy
// tables about, as two registers of a lookup have to be neighbours. Included by neon.cpp.
//
// A tile is PAIRS pairs of pixels times two vectors of 16 filters. Three lookups of a filter, with the kernel's indices
// v16 to v21, are added up before they are counted; that sum is in v24, v25 for even pairs and in v26, v27 for odd ones.
// Tables are loaded in turns into v22, v23 (A) and v28, v29 (B), each while the one before it is used.
//
//   tables beside each other   lookup k of pair p
//   NEIGHBOURS                 p + k        three taps of a row; pairs share tables
//   NEIGHBOURS_BY_TWO          2 p + k      the same at stride 2
//   FLAT                       3 p + k      three indices of one pixel

#define K0_0 "v16.16b"
#define K0_1 "v17.16b"
#define K1_0 "v18.16b"
#define K1_1 "v19.16b"
#define K2_0 "v20.16b"
#define K2_1 "v21.16b"
#define EVEN_0 "v24.16b"
#define EVEN_1 "v25.16b"
#define ODD_0 "v26.16b"
#define ODD_1 "v27.16b"
#define A "{v22.16b, v23.16b}"
#define B "{v28.16b, v29.16b}"
#define TAKE_A(n) "ldp q22, q23, [%[t], #32 * " #n "]\n"
#define TAKE_B(n) "ldp q28, q29, [%[t], #32 * " #n "]\n"
#define LOOK_UP(f, table, k) "tbl " f ", " table ", " k "\n"
#define ADD(to, a, b) "add " to ", " a ", " b "\n"

// The first, second and third lookup of a pair. START_ and COUNT_ make the third one count: in the first group of a
// chunk, and in the others.
#define FIRST(x, table) LOOK_UP(x##_0, table, K0_0) LOOK_UP(x##_1, table, K0_1)
#define SECOND(x, table)                                                         \
  LOOK_UP("v30.16b", table, K1_0) LOOK_UP("v31.16b", table, K1_1)                \
  ADD(x##_0, x##_0, "v30.16b") ADD(x##_1, x##_1, "v31.16b")
#define START_(x, table, p)                                                                                 \
  LOOK_UP("v30.16b", table, K2_0) LOOK_UP("v31.16b", table, K2_1)                                           \
  ADD("%[all" #p "0].16b", x##_0, "v30.16b") ADD("%[all" #p "1].16b", x##_1, "v31.16b")                     \
  "ushr %[high" #p "0].16b, %[all" #p "0].16b, #4\n ushr %[high" #p "1].16b, %[all" #p "1].16b, #4\n"
#define COUNT_(x, table, p)                                                                                           \
  LOOK_UP("v30.16b", table, K2_0) LOOK_UP("v31.16b", table, K2_1)                                                     \
  ADD(x##_0, x##_0, "v30.16b") ADD(x##_1, x##_1, "v31.16b")                                                           \
  ADD("%[all" #p "0].16b", "%[all" #p "0].16b", x##_0) "usra %[high" #p "0].16b, " x##_0 ", #4\n"                     \
  ADD("%[all" #p "1].16b", "%[all" #p "1].16b", x##_1) "usra %[high" #p "1].16b, " x##_1 ", #4\n"

// A group, LAST being START_ or COUNT_. Lines are tables. By llvm-mca's models the order within a line is all the same but
// for Cortex-X1, where it makes 4% of the loop of neighbours.
#define NEIGHBOURS_1(LAST)       \
  TAKE_A(0) TAKE_B(1)            \
  FIRST(EVEN, A) TAKE_A(2)       \
  SECOND(EVEN, B)                \
  LAST(EVEN, A, 0)
#define NEIGHBOURS_2(LAST)                             \
  TAKE_A(0) TAKE_B(1)                                  \
  FIRST(EVEN, A) TAKE_A(2)                             \
  FIRST(ODD, B) SECOND(EVEN, B) TAKE_B(3)              \
  LAST(EVEN, A, 0) SECOND(ODD, A)                      \
  LAST(ODD, B, 1)
#define NEIGHBOURS_3(LAST)                             \
  TAKE_A(0) TAKE_B(1)                                  \
  FIRST(EVEN, A) TAKE_A(2)                             \
  FIRST(ODD, B) SECOND(EVEN, B) TAKE_B(3)              \
  SECOND(ODD, A) LAST(EVEN, A, 0) FIRST(EVEN, A) TAKE_A(4) \
  LAST(ODD, B, 1) SECOND(EVEN, B)                      \
  LAST(EVEN, A, 2)
#define NEIGHBOURS_4(LAST)                             \
  TAKE_A(0) TAKE_B(1)                                  \
  FIRST(EVEN, A) TAKE_A(2)                             \
  FIRST(ODD, B) SECOND(EVEN, B) TAKE_B(3)              \
  SECOND(ODD, A) LAST(EVEN, A, 0) FIRST(EVEN, A) TAKE_A(4) \
  SECOND(EVEN, B) LAST(ODD, B, 1) FIRST(ODD, B) TAKE_B(5) \
  LAST(EVEN, A, 2) SECOND(ODD, A)                      \
  LAST(ODD, B, 3)

#define BY_TWO_1(LAST) NEIGHBOURS_1(LAST)
#define BY_TWO_2(LAST)                                 \
  TAKE_A(0) TAKE_B(1)                                  \
  FIRST(EVEN, A) TAKE_A(2)                             \
  SECOND(EVEN, B) TAKE_B(3)                            \
  LAST(EVEN, A, 0) FIRST(ODD, A) TAKE_A(4)             \
  SECOND(ODD, B)                                       \
  LAST(ODD, A, 1)
#define BY_TWO_3(LAST)                                 \
  TAKE_A(0) TAKE_B(1)                                  \
  FIRST(EVEN, A) TAKE_A(2)                             \
  SECOND(EVEN, B) TAKE_B(3)                            \
  LAST(EVEN, A, 0) FIRST(ODD, A) TAKE_A(4)             \
  SECOND(ODD, B) TAKE_B(5)                             \
  LAST(ODD, A, 1) FIRST(EVEN, A) TAKE_A(6)             \
  SECOND(EVEN, B)                                      \
  LAST(EVEN, A, 2)
#define BY_TWO_4(LAST)                                 \
  TAKE_A(0) TAKE_B(1)                                  \
  FIRST(EVEN, A) TAKE_A(2)                             \
  SECOND(EVEN, B) TAKE_B(3)                            \
  LAST(EVEN, A, 0) FIRST(ODD, A) TAKE_A(4)             \
  SECOND(ODD, B) TAKE_B(5)                             \
  LAST(ODD, A, 1) FIRST(EVEN, A) TAKE_A(6)             \
  SECOND(EVEN, B) TAKE_B(7)                            \
  LAST(EVEN, A, 2) FIRST(ODD, A) TAKE_A(8)             \
  SECOND(ODD, B)                                       \
  LAST(ODD, A, 3)

#define FLAT_1(LAST) NEIGHBOURS_1(LAST)
#define FLAT_2(LAST)                                   \
  TAKE_A(0) TAKE_B(1)                                  \
  FIRST(EVEN, A) TAKE_A(2)                             \
  SECOND(EVEN, B) TAKE_B(3)                            \
  LAST(EVEN, A, 0) TAKE_A(4)                           \
  FIRST(ODD, B) TAKE_B(5)                              \
  SECOND(ODD, A)                                       \
  LAST(ODD, B, 1)
#define FLAT_3(LAST)                                   \
  TAKE_A(0) TAKE_B(1)                                  \
  FIRST(EVEN, A) TAKE_A(2)                             \
  SECOND(EVEN, B) TAKE_B(3)                            \
  LAST(EVEN, A, 0) TAKE_A(4)                           \
  FIRST(ODD, B) TAKE_B(5)                              \
  SECOND(ODD, A) TAKE_A(6)                             \
  LAST(ODD, B, 1) TAKE_B(7)                            \
  FIRST(EVEN, A) TAKE_A(8)                             \
  SECOND(EVEN, B)                                      \
  LAST(EVEN, A, 2)
#define FLAT_4(LAST)                                   \
  TAKE_A(0) TAKE_B(1)                                  \
  FIRST(EVEN, A) TAKE_A(2)                             \
  SECOND(EVEN, B) TAKE_B(3)                            \
  LAST(EVEN, A, 0) TAKE_A(4)                           \
  FIRST(ODD, B) TAKE_B(5)                              \
  SECOND(ODD, A) TAKE_A(6)                             \
  LAST(ODD, B, 1) TAKE_B(7)                            \
  FIRST(EVEN, A) TAKE_A(8)                             \
  SECOND(EVEN, B) TAKE_B(9)                            \
  LAST(EVEN, A, 2) TAKE_A(10)                          \
  FIRST(ODD, B) TAKE_B(11)                             \
  SECOND(ODD, A)                                       \
  LAST(ODD, B, 3)

// The next group's tables and indices.
#define NEXT                                                                                                       \
  "ldr %w[t], [%[offsets]], #4\n add %[t], %[tables], %[t]\n ldp q16, q17, [%[indices]], #96\n"                    \
  "ldp q18, q19, [%[indices], #-64]\n ldp q20, q21, [%[indices], #-32]\n"

// Two groups a turn; an even number of them, one of which was the first, begins in the middle.
#define LOOP(GROUP)                                                                            \
  NEXT GROUP(START_) "subs %w[groups], %w[groups], #1\n b.eq 3f\n tbnz %w[groups], #0, 2f\n"   \
  "1:\n" NEXT GROUP(COUNT_) "2:\n" NEXT GROUP(COUNT_) "subs %w[groups], %w[groups], #2\n b.gt 1b\n 3:\n"

#define COUNTERS_OF(p)                                                                                       \
  [all##p##0] "=&w"(all[p][0]), [all##p##1] "=&w"(all[p][1]), [high##p##0] "=&w"(high[p][0]),                \
  [high##p##1] "=&w"(high[p][1])
#define COUNTERS_1 COUNTERS_OF(0)
#define COUNTERS_2 COUNTERS_1, COUNTERS_OF(1)
#define COUNTERS_3 COUNTERS_2, COUNTERS_OF(2)
#define COUNTERS_4 COUNTERS_3, COUNTERS_OF(3)

#define RUN(GROUP, PAIRS)                                                                                           \
  __asm__(LOOP(GROUP##_##PAIRS)                                                                                     \
          : COUNTERS_##PAIRS, [offsets] "+&r"(offsets), [indices] "+&r"(indices), [groups] "+&r"(groups),           \
            [t] "=&r"(t)                                                                                            \
          : [tables] "r"(tables)                                                                                    \
          : "cc", "memory", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27",     \
            "v28", "v29", "v30", "v31")

// What a chunk's lookups add up to, as bytes: `all` (mod 256) and `high`, of the upper halves.
template <int PAIRS, int KIND>
INLINE void count(const u8* tables, const u32* offsets, const u8* indices, u32 groups, uint8x16_t (*all)[2],
                  uint8x16_t (*high)[2]) {
  u64 t;
  if constexpr (KIND == NEIGHBOURS) {
    if constexpr (PAIRS == 1) RUN(NEIGHBOURS, 1);
    if constexpr (PAIRS == 2) RUN(NEIGHBOURS, 2);
    if constexpr (PAIRS == 3) RUN(NEIGHBOURS, 3);
    if constexpr (PAIRS == 4) RUN(NEIGHBOURS, 4);
  } else if constexpr (KIND == NEIGHBOURS_BY_TWO) {
    if constexpr (PAIRS == 1) RUN(BY_TWO, 1);
    if constexpr (PAIRS == 2) RUN(BY_TWO, 2);
    if constexpr (PAIRS == 3) RUN(BY_TWO, 3);
    if constexpr (PAIRS == 4) RUN(BY_TWO, 4);
  } else {
    if constexpr (PAIRS == 1) RUN(FLAT, 1);
    if constexpr (PAIRS == 2) RUN(FLAT, 2);
    if constexpr (PAIRS == 3) RUN(FLAT, 3);
    if constexpr (PAIRS == 4) RUN(FLAT, 4);
  }
}
