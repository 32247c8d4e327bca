/** A thread that says back what it hears, and falls over at a word. */
import { connectToParent } from "../../model/training/threads.ts";

const tell = connectToParent<string>((text) => {
  if (text === "fall") throw new Error("it fell");
  tell(`heard ${text}`);
});
