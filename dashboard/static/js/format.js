// Numbers as text for users. An unknown value is shown as an en dash.
// @ts-check

export const UNKNOWN = "–";

/** @param {number | null | undefined} share */
export function percent(share) {
  return share == null ? UNKNOWN : `${(100 * share).toFixed(1)} %`;
}

/** @param {number | null | undefined} value */
export function decimals(value) {
  return value == null ? UNKNOWN : value.toFixed(3);
}

/** @param {number} count */
export function whole(count) {
  return count.toLocaleString("en");
}

/** @param {number} size */
export function bytes(size) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  while (size >= 1000 && power < units.length - 1) {
    size /= 1000;
    power += 1;
  }
  return `${power === 0 ? size : size.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0)} ${units[power]}`;
}

/** @param {number} seconds */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/**
 * @param {number} count
 * @param {string} word
 * @param {string} [words] its plural, unless that ends in s
 */
export function plural(count, word, words = `${word}s`) {
  return `${count} ${count === 1 ? word : words}`;
}

/**
 * A number with four significant digits.
 * @param {number} value
 */
export function significant(value) {
  const size = Math.abs(value);
  return size === 0 || (size >= 1e-3 && size < 1e5) ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

/** @param {string} id */
export function shortId(id) {
  return id.length > 12 ? `…${id.slice(-8)}` : id;
}

/**
 * The time of day, by this browser's clock.
 * @param {number} unixS
 */
export function clock(unixS) {
  return new Date(unixS * 1000).toLocaleTimeString("en-GB");
}

/**
 * A score with three significant digits, so that those of a table have one length.
 * @param {number} value
 */
export function score(value) {
  return Math.abs(value) >= 1000 ? whole(Math.round(value)) : value.toPrecision(3);
}
