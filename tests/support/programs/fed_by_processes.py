"""Has two processes prepare images until it is interrupted or killed; prints their numbers first."""

import multiprocessing
import threading

from bnext_keras.data.locations import InMemory
from bnext_keras.data.processes import Processes
from bnext_keras.data.views import EvaluationView

import numpy as np


def feed(processes, started, stop):
    view, image = EvaluationView((64, 64), crop=1.0), InMemory(np.zeros((500, 500, 3), np.uint8), label=0)
    while not stop.is_set():
        processes.look(view, [image] * 4, [0] * 4, range(4))
        started.set()


def main():
    processes, stop = Processes(2), threading.Event()
    events = [threading.Event() for _ in range(4)]
    threads = [threading.Thread(target=feed, args=(processes, started, stop)) for started in events]
    try:
        for thread in threads:
            thread.start()
        for event in events:
            event.wait()
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        stop.wait()
    except KeyboardInterrupt:
        stop.set()
        for thread in threads:
            thread.join()
        print("interrupted", flush=True)


if __name__ == "__main__":
    main()
