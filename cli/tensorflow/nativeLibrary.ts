/**
 * Types of TensorFlow's native library.
 *
 * @module
 */

/** A native library in `deps/lib` of the npm package. */
export interface NativeLibrary {
  /** Name and version for messages. */
  readonly name: string;
  /** File names that the addon is linked with. */
  readonly files: readonly string[];
}

/** Options for the installation of the native library. */
export interface LibraryOptions {
  /** Selects a library with CUDA. */
  readonly gpu: boolean;
  /** URL of the server of the package's library, with a slash at the end. The package has a default. */
  readonly downloadUrl?: string;
  /** Receives a line for each step. */
  log(line: string): void;
}
