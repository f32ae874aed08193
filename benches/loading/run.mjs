// Runs the loader in V8: node run.mjs MODULE MODE FILE…
//
// The few WASI calls that it makes are answered here: the WASI of Node.js 20 goes on using the memory that a module had
// before it grew.
import { readFileSync, writeSync } from "node:fs";

const [module, mode, ...files] = process.argv.slice(2);
const EBADF = 8;
const texts = new Map(files.map((file) => [file, readFileSync(file)]));
const args = ["loading", mode, ...files.map((file) => texts.get(file).length)].map((arg) => `${arg}\0`);

let memory;
const bytes = (at, length) => new Uint8Array(memory.buffer, at, length);
const view = () => new DataView(memory.buffer);
const setU32 = (at, value) => view().setUint32(at, value, true);
// A list of buffers: pairs of address and length.
const buffers = (at, count) =>
  Array.from({ length: count }, (_, i) => bytes(view().getUint32(at + 8 * i, true), view().getUint32(at + 8 * i + 4, true)));

// Standard input holds the files one after another.
let file = 0;
let offset = 0;
function read(into) {
  while (file < files.length && offset === texts.get(files[file]).length) {
    file += 1;
    offset = 0;
  }
  if (file === files.length) return 0;
  const part = texts.get(files[file]).subarray(offset, offset + into.length);
  into.set(part);
  offset += part.length;
  return part.length;
}

const calls = {
  args_sizes_get(count, size) {
    setU32(count, args.length);
    setU32(size, args.join("").length);
    return 0;
  },
  args_get(pointers, to) {
    for (const [i, arg] of args.entries()) {
      setU32(pointers + 4 * i, to);
      bytes(to, arg.length).set(Buffer.from(arg));
      to += arg.length;
    }
    return 0;
  },
  environ_sizes_get(count, size) {
    setU32(count, 0);
    setU32(size, 0);
    return 0;
  },
  environ_get: () => 0,
  // The thread's CPU time: others use the machine, too.
  clock_time_get(_clock, _precision, to) {
    view().setBigUint64(to, BigInt(readFileSync("/proc/self/schedstat", "latin1").split(" ")[0]), true);
    return 0;
  },
  fd_read(_fd, list, count, length) {
    setU32(length, buffers(list, count).reduce((sum, buffer) => sum + read(buffer), 0));
    return 0;
  },
  fd_write(fd, list, count, length) {
    setU32(length, buffers(list, count).reduce((sum, buffer) => sum + writeSync(fd, buffer), 0));
    return 0;
  },
  proc_exit: (code) => process.exit(code),
};
const known = { get: (_, name) => calls[name] ?? (() => EBADF) };
const compiled = new WebAssembly.Module(readFileSync(module));
const wasi = new Proxy({}, known);
const instance = new WebAssembly.Instance(compiled, { wasi_snapshot_preview1: wasi });
memory = instance.exports.memory;
instance.exports._start();
