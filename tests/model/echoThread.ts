/** A thread that answers each message with the same text, and throws an error for the text `throw`. */
import { connectToParent } from "../../model/training/threads.ts";

const send = connectToParent<string>((text) => {
  if (text === "throw") throw new Error("thrown by the thread");
  send(`echo: ${text}`);
});
