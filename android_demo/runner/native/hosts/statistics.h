// Series of times as benchmark_model prints them.
#pragma once
#include <math.h>
#include <stdio.h>

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

  // "count=N first=... std=...", as one line behind a prefix.
  void print(const char* prefix) const {
    printf("%scount=%ld", prefix, count);
    if (count)
      printf(" first=%g curr=%g min=%g max=%g avg=%g std=%g", first, current, least, most, mean(), deviation());
    printf("\n");
  }

 private:
  double mean_ = 0, squares_ = 0;  // Welford's: no difference of large numbers.
};
