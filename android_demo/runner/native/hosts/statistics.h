// Series of times as benchmark_model prints them.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdio.h>

// Percentiles of any number of times without keeping them: counts of times that are alike within 0.2%.
class Percentiles {
 public:
  void add(double us) {
    counts_[place(us)]++;
    count_++;
  }

  // The time that a share of all times, from 0 to 1, is not above.
  double at(double share) const {
    const double wanted = ceil(share * double(count_));
    double below = 0;
    for (int i = 0; i < PLACES; i++)
      if ((below += counts_[i]) >= wanted && counts_[i])
        return ldexp(0.5 + (i % PARTS + 0.5) / (2 * PARTS), i / PARTS - SHIFT);
    return 0;
  }

  // " p5=... median=... p90=... p95=...", as TFLite's newer builds print it, and the 90th besides; within what occurred.
  void print(double least, double most) const {
    const struct { const char* name; double share; } all[] = {{"p5", 0.05}, {"median", 0.5}, {"p90", 0.9}, {"p95", 0.95}};
    for (const auto& one : all) printf(" %s=%g", one.name, fmin(fmax(at(one.share), least), most));
  }

 private:
  // From 2^-10 us, a nanosecond, to 2^38 us, three days; each power of two in equal parts.
  static constexpr int SHIFT = 10, PARTS = 256, PLACES = (SHIFT + 38) * PARTS;

  static int place(double us) {
    int power = 0;
    const double part = frexp(us, &power);  // From 0.5 to 1.
    const int found = (power + SHIFT) * PARTS + int((part - 0.5) * 2 * PARTS);
    return found < 0 ? 0 : found < PLACES ? found : PLACES - 1;
  }

  uint32_t counts_[PLACES] = {};
  long count_ = 0;
};

struct Statistics {
  long count = 0;
  double first = 0, current = 0, least = 0, most = 0, total = 0;

  void add(double us) {
    if (!count++) first = least = most = us;
    const double before = mean_;
    mean_ += (us - before) / double(count);
    squares_ += (us - before) * (us - mean_);
    current = us, total += us;
    if (us < least) least = us;
    if (us > most) most = us;
  }
  double mean() const { return mean_; }
  double deviation() const { return count ? sqrt(squares_ / double(count)) : 0; }

  // "count=N first=... std=...", as one line behind a prefix. `percentiles` may be null.
  void print(const char* prefix, const Percentiles* percentiles = nullptr) const {
    printf("%scount=%ld", prefix, count);
    if (count)
      printf(" first=%g curr=%g min=%g max=%g avg=%g std=%g", first, current, least, most, mean(), deviation());
    if (count && percentiles) percentiles->print(least, most);
    printf("\n");
  }

 private:
  double mean_ = 0, squares_ = 0;  // Welford's: no difference of large numbers.
};
