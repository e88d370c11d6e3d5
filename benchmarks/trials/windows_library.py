"""The engine's library for Windows under Wine: how far its answers are from those of the library here.

    sudo apt install wine64
    python benchmarks/trials/windows_library.py model.tflite

compiles the library of the Windows wheel and a small program that loads it, gives both to Wine, and prints for one and
two threads which kernels ran and the largest difference of the answers to random images, relative to the largest
answer: another compiler rounds otherwise. Wine is no Windows, but what the library asks of the system has to be there,
and threads have to work.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from android_demo.export.wheel import PLATFORMS, make_wheel
from android_demo.runner import Interpreter
from android_demo.runner.compiler import compile_plan

PROGRAM = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static void* whole(const char* name, size_t* size) {
  FILE* file = fopen(name, "rb");
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  void* content = malloc(*size);
  if (fread(content, 1, *size, file) != *size) exit(3);
  fclose(file);
  return content;
}

int main(int count, char** words) {
  HMODULE library = LoadLibraryA("runner.dll");
  if (!library) return 2;
#define GET(result, name, ...) result (*name)(__VA_ARGS__) = (void*)GetProcAddress(library, #name)
  GET(void*, session_open, const void*, uint64_t, const char*, uint32_t, int*);
  GET(int, session_write, void*, uint32_t, const void*, uint64_t);
  GET(int, session_read, void*, uint32_t, void*, uint64_t);
  GET(void, session_run, void*, uint64_t*);
  GET(const char*, session_kernels, void*);
  GET(void, session_close, void*);
  size_t plan_bytes, image_bytes;
  void* plan = whole("plan", &plan_bytes);
  char* images = whole("images", &image_bytes);
  size_t each = strtoull(words[2], NULL, 10), answer_bytes = strtoull(words[3], NULL, 10);
  int status = 0;
  void* session = session_open(plan, plan_bytes, NULL, atoi(words[1]), &status);
  if (!session) return 10 + status;
  void* answer = malloc(answer_bytes);
  FILE* out = fopen("answers", "wb");
  for (size_t place = 0; place < image_bytes; place += each) {
    if (!session_write(session, 0, images + place, each)) return 4;
    session_run(session, NULL);
    if (!session_read(session, 1, answer, answer_bytes)) return 5;
    fwrite(answer, 1, answer_bytes, out);
  }
  fclose(out);
  printf("%s kernels\n", session_kernels(session));
  session_close(session);
  return 0;
}
"""


def main() -> None:
    """Runs the trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a .tflite file of one input and one output")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    wine = shutil.which("wine64", path=f"{os.environ['PATH']}:/usr/lib/wine") or sys.exit("wine64 is not installed")
    engine = Interpreter(arguments.model)
    shape = (3, *engine.input_shapes[0][1:])
    images = np.random.default_rng(arguments.seed).standard_normal(shape).astype(np.float32)
    expected = engine.predict(images)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = zipfile.ZipFile(io.BytesIO(make_wheel(PLATFORMS["windows-x86_64"])[1]))
        (library,) = (each for each in wheel.namelist() if each.endswith("runner.dll"))
        (folder / "runner.dll").write_bytes(wheel.read(library))
        (folder / "plan").write_bytes(compile_plan(arguments.model.read_bytes()))
        (folder / "images").write_bytes(images.tobytes())
        (folder / "program.c").write_text(PROGRAM)
        compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu"]
        subprocess.run([*compiler, "program.c", "-o", "program.exe"], cwd=folder, check=True)
        environment = {**os.environ, "WINEPREFIX": str(folder / "wine"), "WINEDEBUG": "-all"}
        for threads in (1, 2):
            sizes = [str(array[0].nbytes) for array in (images, expected)]
            command = [wine, "program.exe", str(threads), *sizes]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{threads} threads: exit status {done.returncode}\n{done.stdout}{done.stderr}")
            answers = np.frombuffer((folder / "answers").read_bytes(), np.float32).reshape(expected.shape)
            difference = np.abs(answers - expected).max() / np.abs(expected).max()
            print(f"{threads} threads, {done.stdout.strip()}: within {difference:.1e}", flush=True)


if __name__ == "__main__":
    main()
