/**
 * The time limit of a response.
 *
 * @module
 */
import { RemoteError } from "./remoteError.ts";

/** Bytes that must arrive within the idle time. A slower server could keep a request open for days. */
const IDLE_BYTES = 16 * 1024;

/** Ends an attempt whose server sends nothing or too slowly. */
export class IdleTimer {
  readonly #controller = new AbortController();
  readonly #milliseconds: number;
  readonly #url: URL;
  #timer: ReturnType<typeof setTimeout>;
  #bytes = 0;

  constructor(milliseconds: number, url: URL) {
    this.#milliseconds = milliseconds;
    this.#url = url;
    this.#timer = this.#start();
  }

  /** Is aborted with a {@linkcode RemoteError} when the time is over. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Counts bytes, and restarts the time once enough have arrived. */
  received(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < IDLE_BYTES) return;
    this.#bytes = 0;
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  /** Ends the time limit. */
  clear(): void {
    clearTimeout(this.#timer);
  }

  #start(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      const text = `cannot be fetched: '${this.#url.host}' sent too little within ${
        this.#milliseconds / 1000
      } s`;
      this.#controller.abort(new RemoteError("unavailable", text));
    }, this.#milliseconds);
  }
}
