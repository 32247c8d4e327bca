/**
 * Powers of two of four values at once.
 *
 * @module
 */
import { constant } from "./constants.ts";
import { lines, polynomial } from "./write.ts";

/**
 * Declares `name = 2^y`, relative error 2e-7; 0 from -127 down, NaN for NaN, undefined above 127.
 *
 * @param y an expression, evaluated once
 */
export function exp2(relaxed: boolean, y: string, name: string): string {
  const power = polynomial(
    relaxed,
    `${name}F`,
    (["E5", "E4", "E3", "E2", "E1", "E0"] as const).map(constant),
  );
  return lines(
    // pmax gives its first operand when that is NaN.
    `const ${name}Y = f32x4.pmax(${y}, ${constant("LOWEST")});`,
    `const ${name}T = f32x4.add(${name}Y, ${constant("MAGIC")});`,
    `const ${name}F = f32x4.sub(${name}Y, f32x4.sub(${name}T, ${constant("MAGIC")}));`,
    `const ${name} = i32x4.add(${power}, i32x4.shl(${name}T, 23));`,
  );
}
