// A frozen sidecar and how it is asked. What lives here: spawning and JSON lines. What must not: what is asked.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import process from "node:process";

const LAST_WORDS = 2000;

/** An error that a check can show as it is: a sentence that names what is wrong. */
export class Fault extends Error {}

/** One sidecar, from spawn to its end. */
export class Sidecar {
  /** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void}>} */
  #waiting = new Map();
  #lastId = 0;
  #stderr = "";
  /** @type {Error | null} */
  #broken = null;

  /**
   * @param {string} executable
   * @param {string[]} options
   */
  constructor(executable, options) {
    this.process = spawn(executable, options, { stdio: ["pipe", "pipe", "pipe"], windowsHide: true });
    this.ended = new Promise((resolve) => {
      this.process.on("exit", (code, signal) => resolve(signal ?? code));
      this.process.on("error", (error) => resolve(error.message));
    });
    this.process.stdin.on("error", () => {}); // it ended: what `ended` says is told
    this.process.stderr.on("data", (bytes) => (this.#stderr = (this.#stderr + bytes).slice(-LAST_WORDS)));
    const lines = createInterface({ input: this.process.stdout });
    lines.on("line", (line) => this.#take(line));
    lines.on("close", () => void this.ended.then((how) => this.#breakOff(`It ended (${how}). ${this.#stderr}`)));
  }

  /**
   * @param {string} method
   * @param {object} [params]
   * @param {number} [seconds] how long to wait
   * @returns {Promise<any>} the result
   */
  ask(method, params, seconds = 60) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(this.#broken);
      const timer = setTimeout(() => reject(new Fault(`${method}: no answer within ${seconds} s`)), seconds * 1000);
      const settled = (/** @type {(given: any) => void} */ settle) => (/** @type {any} */ given) => {
        clearTimeout(timer);
        settle(given);
      };
      this.#waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
      this.process.stdin.write(JSON.stringify({ jsonrpc: "2.0", id, method, params }) + "\n");
    });
  }

  /** Close its stdin, and wait until it is gone; its exit code or signal. */
  async close(seconds = 20) {
    this.process.stdin.end();
    const timer = setTimeout(() => this.process.kill("SIGKILL"), seconds * 1000);
    const how = await this.ended;
    clearTimeout(timer);
    return how;
  }

  /** @param {string} line */
  #take(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      return this.#breakOff(`Its stdout holds what is no JSON: ${line.slice(0, 200)}`);
    }
    const call = this.#waiting.get(message.id);
    if (!call) return;
    this.#waiting.delete(message.id);
    if (message.error) call.reject(new Fault(`${message.error.message} (${message.error.code})`));
    else call.resolve(message.result);
  }

  /** @param {string} sentence */
  #breakOff(sentence) {
    this.#broken ??= new Fault(sentence.trim());
    for (const call of this.#waiting.values()) call.reject(this.#broken);
    this.#waiting.clear();
  }
}
