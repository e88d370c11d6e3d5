package bnext.engine;

import java.nio.ByteBuffer;

/** Threads that help with inferences, and sleep in between. They hold the engine's memory, and nothing else. */
final class Crew {
  private final ByteBuffer plan;
  private final ByteBuffer memory;
  private int inferences;
  private boolean dismissed;

  Crew(ByteBuffer plan, ByteBuffer memory, int helpers) {
    this.plan = plan;
    this.memory = memory;
    try {
      for (int i = 1; i <= helpers; i++) start(i);
    } catch (OutOfMemoryError noMoreThreads) {
      dismiss();
      throw noMoreThreads;
    }
  }

  private void start(int number) {
    Thread thread = new Thread(() -> help(number), "bnext-" + number);
    thread.setDaemon(true);
    thread.start();
  }

  /** Wakes all: an inference begins. One that comes late finds less to do, or nothing. */
  synchronized void call() {
    inferences++;
    notifyAll();
  }

  synchronized void dismiss() {
    dismissed = true;
    notifyAll();
  }

  private void help(int number) {
    int seen = 0;
    while ((seen = next(seen)) >= 0) Native.help(plan, memory, number);
  }

  /** Waits for an inference after those that were seen; below 0 if there will be none. */
  private synchronized int next(int seen) {
    while (!dismissed && inferences == seen) {
      try {
        wait();
      } catch (InterruptedException nobodyInterruptsThese) {
        dismissed = true;
      }
    }
    return dismissed ? -1 : inferences;
  }
}
