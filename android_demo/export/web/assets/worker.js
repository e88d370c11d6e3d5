// Runs the network beside the page, which stays awake meanwhile. One message in, one answer out, with the same number:
//
//   start     modules, plan, normalization   the engine, ready, and on how many threads
//   classify  an ImageBitmap                 the answers, the pixels that the network saw, and what it took
//   measure   seconds                        what each step took, the mean of many runs
//   help      a module, its memory, a stack  nothing more: this worker is one of another one's threads
//
// The engine's side of this is android_demo/runner/native/hosts/web.cpp.
"use strict";

// enum runner_status in android_demo/runner/native/core/core.h.
const DAMAGED = "This page is damaged: its network is not what was written. Get it anew.";
const FAULTS = {
  1: "This page is not whole: its network is missing or cut off. Get it anew.",
  2: "This page's network is of another version than its engine. Export it anew.",
  3: DAMAGED,
  5: "This network needs more memory than a browser gives.",
  7: "This browser has too little memory for the network.",
};
const ROWS = 64; // Of a picture that are handed over at a time.
const WARM_UPS = 3; // Browsers compile what runs often once more, and better.

let engine, memory;

// Of a copy: browsers decode nothing that is shared.
const text = (at) => {
  const bytes = new Uint8Array(memory.buffer, at);
  return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
};

const instance = (module, memory) =>
  new WebAssembly.Instance(module, { page: { milliseconds: () => performance.now() }, env: { memory } }).exports;

// Memory for several threads; less of it where a browser has not so much room for addresses.
function shared([initial, most]) {
  for (let maximum = most; ; maximum = maximum >> 1) {
    try {
      return new WebAssembly.Memory({ initial, maximum, shared: true });
    } catch (error) {
      if (maximum < 16 * initial) throw error;
    }
  }
}

// Another thread, when it is about to wait for work.
function helper(given) {
  const worker = new Worker(self.location.href);
  const ready = new Promise((resolve, reject) => {
    worker.onmessage = ({ data: { fault } }) => (fault ? reject(new Error(fault)) : resolve());
    worker.onerror = reject;
  });
  worker.postMessage({ job: "help", ...given });
  return { worker, ready };
}

async function open({ name, code, pages }, { plan, threads, mean, deviation, turned }) {
  const module = await WebAssembly.compile(code);
  memory = pages && shared(pages);
  engine = instance(module, memory);
  memory ??= engine.memory;
  const at = engine.plan_memory(plan.byteLength);
  if (!at) throw new Error(FAULTS[7]);
  new Uint8Array(memory.buffer, at).set(new Uint8Array(plan));
  const status = engine.open(at, plan.byteLength, threads);
  if (status) throw new Error(FAULTS[status] || DAMAGED);
  const helpers = [];
  try {
    for (let thread = 1; thread < engine.threads(); thread++)
      helpers.push(helper({ module, memory, thread, stack: engine.stack(thread) }));
    await Promise.all(helpers.map(({ ready }) => ready));
  } catch (error) {
    helpers.forEach(({ worker }) => worker.terminate());
    throw error;
  }
  mean.forEach((value, channel) => engine.set_channel(channel, value, deviation[channel]));
  engine.set_turned(turned);
  for (let i = 0; i < WARM_UPS; i++) engine.run(0);
  return { module: name, threads: engine.threads(), height: engine.height(), width: engine.width() };
}

const jobs = {
  async start({ modules, ...given }) {
    if (!given.plan.byteLength) throw new Error(FAULTS[1]);
    const usable = modules.filter(({ code }) => WebAssembly.validate(code));
    if (!usable.length) throw new Error("This browser has no WebAssembly, or it is switched off. Another browser will do.");
    const alone = usable.find(({ pages }) => !pages);
    try {
      return await open(usable[0], given);
    } catch (error) {
      // Memory that is shared, or a worker's worker, may be more than the browser has.
      if (usable[0] === alone || !alone) throw error;
      return open(alone, given);
    }
  },

  help({ module, memory, thread, stack }) {
    const own = instance(module, memory);
    own.__stack_pointer.value = stack;
    self.postMessage({});
    own.help(thread);
  },

  classify({ picture }) {
    const start = performance.now();
    try {
      fit(picture);
    } finally {
      picture.close();
    }
    const { pixels, width, height } = seen();
    const middle = performance.now();
    const outputs = new Float32Array(memory.buffer, engine.run(0), engine.values()).slice();
    const end = performance.now();
    return { outputs, pixels, width, height, fitting: middle - start, running: end - middle };
  },

  measure({ seconds }) {
    const start = performance.now();
    const ticks = engine.new_ticks();
    let runs = 0;
    do engine.run(ticks), runs++;
    while (runs < 3 || performance.now() - start < 1000 * seconds);
    const each = new BigUint64Array(memory.buffer, ticks, engine.steps());
    const steps = Array.from(each, (nanoseconds, step) => ({
      kind: text(engine.step_kind(step)),
      name: text(engine.step_name(step)),
      milliseconds: Number(nanoseconds) / 1e6 / runs,
    }));
    return { runs, steps, threads: engine.threads(), memory: memory.buffer.byteLength };
  },
};

// Hands a picture's rows over. No part of it is resized by the browser: each does that in its own way.
function fit(picture) {
  const { width, height } = picture;
  const rows = Math.min(ROWS, height);
  const at = engine.begin_picture(width, height, rows);
  if (!at) throw new Error("the picture is too large");
  const canvas = new OffscreenCanvas(width, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let y = 0; y < height; y += rows) {
    const count = Math.min(rows, height - y);
    context.clearRect(0, 0, width, rows);
    context.drawImage(picture, 0, y, width, count, 0, 0, width, count);
    new Uint8Array(memory.buffer).set(context.getImageData(0, 0, width, count).data, at);
    engine.add_rows(count);
  }
}

// The pixels that the network sees, as RGBA.
function seen() {
  const width = engine.width(), height = engine.height(), channels = engine.channels();
  const from = new Uint8Array(memory.buffer, engine.end_picture(), width * height * channels);
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = from[channels * i + (channels === 3 ? c : 0)];
  return { pixels, width, height };
}

self.onmessage = async ({ data: { number, job, ...given } }) => {
  try {
    self.postMessage({ number, found: await jobs[job](given) });
  } catch (error) {
    self.postMessage({ number, fault: error.message || String(error) });
  }
};
