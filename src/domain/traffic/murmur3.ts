/** MurmurHash3_x86_32 over the UTF-8 bytes of a text: the hash of flagd's `fractional`, so that both divide users alike. */

const encoder = new TextEncoder();
let scratch = new Uint8Array(1024);

/** An unsigned 32-bit number. Source: Austin Appleby, MurmurHash3.cpp (public domain). */
export function murmur3(text: string, seed = 0): number {
  const length = encode(text);
  let hash = seed;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    hash ^= scramble(byte(i) | (byte(i + 1) << 8) | (byte(i + 2) << 16) | (byte(i + 3) << 24));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = length - 1; i >= whole; i--) rest = (rest << 8) | byte(i);
  if (length > whole) hash ^= scramble(rest);
  return finalMix(hash ^ length);
}

/** Into `scratch`; the number of bytes. Keys are nearly always ASCII, and for them a loop is ten times as fast as the encoder. */
function encode(text: string): number {
  // At most three bytes a UTF-16 unit.
  if (text.length * 3 > scratch.length) scratch = new Uint8Array(text.length * 3);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return encoder.encodeInto(text, scratch).written;
    scratch[i] = code;
  }
  return text.length;
}

function byte(index: number): number {
  return scratch[index] ?? 0;
}

function scramble(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

/** A bijection of 32-bit numbers under which near ones come out far apart. */
export function finalMix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
