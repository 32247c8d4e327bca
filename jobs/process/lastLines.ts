/**
 * The last lines of a process's output.
 *
 * @module
 */

/** Number of lines that are kept, and of characters of each. V8's report of a fatal error has about 40 lines. */
const LINES = 60, LENGTH = 500;

/** Receives the text of one stream in pieces. */
export interface LineStream {
  /** Adds a piece of text, which may end within a line. */
  add(text: string): void;
  /** Ends the last line. */
  end(): void;
}

// deno-lint-ignore no-control-regex -- the escape character begins the codes of colours
const COLOURS = /\x1b\[[0-9;]*m/g;

/** Keeps the last lines of several streams, in the order in which they were completed. */
export class LastLines {
  readonly #lines: string[] = [];
  readonly #listener: ((line: string) => void) | undefined;

  /** @param listener called with each line */
  constructor(listener?: (line: string) => void) {
    this.#listener = listener;
  }

  /** Adds a line, without its colours. An empty line is ignored. */
  add(line: string): void {
    const text = line.replace(COLOURS, "").trimEnd().slice(0, LENGTH);
    if (text === "") return;
    this.#lines.push(text);
    if (this.#lines.length > LINES) this.#lines.shift();
    this.#listener?.(text);
  }

  /** Returns the lines, oldest first. */
  last(): string[] {
    return [...this.#lines];
  }

  /** Adds a stream of text, whose lines are split here. */
  stream(): LineStream {
    let rest = "";
    const end = () => {
      this.add(rest);
      rest = "";
    };
    return {
      end,
      add: (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines) this.add(line);
        // Output without line ends does not grow without limit.
        if (rest.length > LENGTH) end();
      },
    };
  }
}
