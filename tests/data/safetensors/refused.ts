/**
 * Files that are not valid safetensors files.
 *
 * @module
 */
import type { Bytes } from "../../../data/bytes.ts";

/** Creates a file from the text of a header and the bytes after it. */
export function file(
  header: string | Uint8Array,
  data = new Uint8Array(),
  length?: bigint,
): Bytes {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** Creates a file with a tensor `w` of four bytes. Fields of its header can be replaced by raw text. */
function one(
  { dtype = '"F32"', shape = "[1]", offsets = "[0,4]", rest = "" } = {},
  data = new Uint8Array(4),
) {
  return file(`{"w":{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}${rest}}}`, data);
}

function entry(begin: number, end: number): string {
  return `{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`;
}

/** Files that violate a rule of the format, by what is wrong, each with the message of its rejection. */
export const REFUSED: Record<string, [Bytes, RegExp]> = {
  "an empty file": [new Uint8Array(), /at least 8 bytes: this one has 0/],
  "7 bytes": [new Uint8Array(7), /at least 8 bytes: this one has 7/],
  "a header with a declared length of 99 MB": [
    file("{}", undefined, 99_000_000n),
    /at most 8388608 bytes: the file declares 99000000/,
  ],
  "a header one byte above the limit": [file("{" + " ".repeat(8388607) + "}"), /at most 8388608 bytes/],
  "a header length past 2^63": [file("{}", undefined, 2n ** 64n - 1n), /at most 8388608 bytes/],
  "a header length past the file": [
    file("{}", undefined, 3n),
    /header of 3 bytes exceeds the file, which has 10 bytes/,
  ],
  "no header": [file(""), /must begin with '{'/],
  "a header that is not UTF-8": [file(new Uint8Array([0x7b, 0xff, 0x7d])), /not UTF-8/],
  "a byte order mark": [file("\ufeff{}"), /must begin with '{'/],
  "a header with a space before it": [file(" {}"), /must begin with '{'/],
  "a header that is an array": [file("[]"), /must begin with '{'/],
  "truncated JSON": [file('{"w":'), /not JSON/],
  "a comment": [file("{/* hello */}"), /not JSON/],
  "a comma at the end": [file(`{"w":${entry(0, 0)},}`), /not JSON/],
  "two JSON values": [file("{}{}"), /not JSON/],
  "deep nesting": [file('{"w":' + "[".repeat(100_000)), /deeper than 3 levels/],
  "many values": [file(`{"w":{"shape":[${"0,".repeat(70_000)}0]}}`), /more than 65536 values/],
  "many names": [
    file(`{${Array.from({ length: 70_000 }, (_, i) => `"${i}":{}`)}}`),
    /more than 65536 values/,
  ],
  "many blanks": [file(`{${" ".repeat(3_000_000)}}`), /more than 2097152 blanks/],
  "a name twice": [file(`{"w":${entry(0, 0)},"w":${entry(0, 0)}}`), /"w" occurs twice/],
  "a name twice, once escaped": [file(`{"w":${entry(0, 0)},"\\u0077":${entry(0, 0)}}`), /"w" occurs twice/],
  "a field twice": [one({ rest: ',"dtype":"F32"' }), /"dtype" occurs twice/],
  "metadata twice": [file('{"__metadata__":{},"__metadata__":{}}'), /"__metadata__" occurs twice/],
  "a metadata key twice": [file('{"__metadata__":{"a":"1","a":"2"}}'), /"a" occurs twice/],
  "half a surrogate pair as name": [file(`{"\\ud800":${entry(0, 0)}}`), /not Unicode text/],
  "metadata that is text": [file('{"__metadata__":"config"}'), /__metadata__ must be an object/],
  "metadata that is a list": [file('{"__metadata__":[]}'), /__metadata__ must be an object/],
  "metadata that is null": [file('{"__metadata__":null}'), /__metadata__ must be an object/],
  "a number in the metadata": [file('{"__metadata__":{"a":1.5}}'), /whose values are strings/],
  "an object in the metadata": [file('{"__metadata__":{"a":{}}}'), /whose values are strings/],
  "a tensor that is a number": [file('{"w":1.5}'), /"w" must be an object/],
  "a tensor that is null": [file('{"w":null}'), /"w" must be an object/],
  "a missing dtype": [
    file('{"w":{"shape":[1],"data_offsets":[0,4]}}', new Uint8Array(4)),
    /one of the dtypes .* missing/,
  ],
  "an unknown dtype": [one({ dtype: '"F31"' }), /one of the dtypes .*: current value is "F31"/],
  "a dtype of 4 bits": [
    one({ dtype: '"F4"', shape: "[3]", offsets: "[0,2]" }, new Uint8Array(2)),
    /one of the dtypes/,
  ],
  "a dtype of Object.prototype": [one({ dtype: '"toString"' }), /one of the dtypes/],
  "an unknown field": [one({ rest: ',"stride":[1]' }), /unknown field "stride"/],
  "a shape that is a number": [one({ shape: "1" }), /must have a shape of whole numbers: current value is 1/],
  "a shape of text": [one({ shape: '["1"]' }), /must have a shape of whole numbers/],
  "a negative size": [one({ shape: "[-1]" }), /"shape" of "w" must be whole numbers .* current value is -1/],
  "minus zero": [one({ shape: "[-0]", offsets: "[0,0]" }, new Uint8Array()), /current value is -0/],
  "a fraction": [one({ shape: "[1.0]" }), /current value is 1.0/],
  "a shape whose product overflows": [
    one({ shape: "[4294967296,4294967296]" }),
    /product of its shape .* overflows/,
  ],
  "an overflow hidden by a zero": [
    one({ shape: "[4294967296,4294967296,0]", offsets: "[0,0]" }, new Uint8Array()),
    /overflows/,
  ],
  "one offset": [one({ offsets: "[0]" }), /data_offsets of two whole numbers/],
  "three offsets": [one({ offsets: "[0,4,4]" }), /data_offsets of two whole numbers/],
  "an offset of 1e3": [
    one({ shape: "[250]", offsets: "[0,1e3]" }, new Uint8Array(1000)),
    /current value is 1e3/,
  ],
  'an offset of "16"': [
    one({ offsets: '[0,"16"]' }),
    /data_offsets of two whole numbers: current value is \[0,"16"\]/,
  ],
  "an offset of 2^53 + 1": [one({ offsets: "[0,9007199254740993]" }), /current value is 9007199254740993/],
  "an end before the begin": [one({ offsets: "[4,0]" }), /must not end before it begins/],
  "fewer bytes than the shape needs": [one({ shape: "[2]" }), /must have 8 bytes: its data_offsets have 4/],
  "more bytes than the shape needs": [one({ shape: "[0]" }), /must have 0 bytes: its data_offsets have 4/],
  "a gap at the start": [file(`{"w":${entry(1, 4)}}`, new Uint8Array(4)), /"w" leaves a gap of 1 bytes/],
  "a gap between": [
    file(`{"a":${entry(0, 2)},"b":${entry(3, 4)}}`, new Uint8Array(4)),
    /"b" leaves a gap of 1 bytes: its data must begin at 2/,
  ],
  "an overlap": [
    file(`{"a":${entry(0, 3)},"b":${entry(2, 4)}}`, new Uint8Array(4)),
    /"b" overlaps another by 1/,
  ],
  "two tensors on one range": [
    file(`{"a":${entry(0, 4)},"b":${entry(0, 4)}}`, new Uint8Array(4)),
    /overlaps/,
  ],
  "a byte too few": [one({}, new Uint8Array(3)), /must end .*truncated/],
  "a byte too many": [one({}, new Uint8Array(5)), /must end .*more data follows/],
  "bytes after no tensor": [file("{}", new Uint8Array(1)), /must end .*more data follows/],
  "a torch.save archive": [file("", undefined, 0x0000_0800_0403_4b50n), /pickle/],
  "an old pickle": [file("", undefined, 0x469c_fc6c_0a8a_0280n), /pickle/],
};
