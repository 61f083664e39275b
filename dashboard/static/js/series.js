// The data of the curves: series, colours and axis. It draws nothing.
// @ts-check

import { byName } from "./peer-states.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").RoundRecord} RoundRecord */
/** @typedef {"round" | "time"} Axis */
/** @typedef {{id: string, name: string, colour: string, points: Point[]}} Series */

// If there are more peers than this, they share one colour and one entry in the legend.
export const COLOURED_PEERS_MAX = 8;
const ROUNDS_SHOWN_MIN = 12;
export const GLOBAL = "global";
export const TRAINING = "training";

/**
 * @param {Snapshot} snapshot
 * @returns {Series[]} the peers' curves, and the global one last, so that it lies on top
 */
export function seriesOf(snapshot) {
  const known = [...snapshot.past_peers, ...snapshot.peers];
  const names = new Map(known.map((peer) => [peer.id, peer.name]));
  const peers = Object.keys(snapshot.curves.peers)
    .map((id) => ({ id, name: names.get(id) ?? `…${id.slice(-6)}` }))
    .sort(byName);
  const coloured = peers.length <= COLOURED_PEERS_MAX;
  const series = peers.map(({ id, name }, index) => ({
    id,
    name,
    colour: coloured ? `--series-${index + 1}` : "--series-many",
    points: snapshot.curves.peers[id],
  }));
  return [
    ...series,
    { id: GLOBAL, name: "Global", colour: "--global", points: snapshot.curves.global },
  ];
}

/**
 * The peers' running accuracy on training batches, also between two rounds. It has no loss.
 * @param {Snapshot} snapshot
 * @returns {Series[]} none while nothing has trained
 */
export function trainingOf({ training }) {
  if (training.points.length === 0) return [];
  const points = training.points.map(({ at, accuracy }) => ({ round: at, accuracy, loss: null }));
  return [{ id: TRAINING, name: "Training, running", colour: "--muted", points }];
}

/**
 * The end of the axis of rounds: all rounds of a short run; of a long one, room to grow.
 * @param {number} reached
 * @param {number} rounds of the session
 * @param {boolean} finished
 */
export function lastRound(reached, rounds, finished) {
  if (finished) return Math.max(1, reached);
  const room = Math.max(ROUNDS_SHOWN_MIN, Math.ceil(2 * reached));
  return Math.max(1, reached, Math.min(rounds, room));
}

/**
 * @param {Series[]} series
 * @returns {number[]} all rounds that have a point
 */
export function roundsOf(series) {
  const rounds = new Set(series.flatMap((one) => one.points.map((point) => point.round)));
  return [...rounds].sort((a, b) => a - b);
}

/**
 * Positions of rounds on the axis: their numbers, or seconds since the first head. A round without
 * a reported time is placed between its neighbours.
 * @param {number[]} rounds
 * @param {Axis} axis
 * @param {Map<number, RoundRecord>} past
 * @returns {number[] | null} null while no times are known
 */
export function places(rounds, axis, past) {
  if (axis === "round") return rounds;
  const times = rounds.map((round) => past.get(round)?.unix_s ?? null);
  const known = times.flatMap((time, index) => (time === null ? [] : [{ time, index }]));
  if (known.length < 2) return null;
  const first = known[0];
  return times.map((_, index) => {
    const after = known.find((one) => one.index >= index) ?? known[known.length - 1];
    const before = known.findLast((one) => one.index <= index) ?? first;
    const [a, b] = before.index === after.index ? ends(known, index) : [before, after];
    const share = a.index === b.index ? 0 : (index - a.index) / (b.index - a.index);
    return a.time + (b.time - a.time) * share - first.time;
  });
}

/**
 * The two known times from which a position outside all known times is computed.
 * @param {{time: number, index: number}[]} known
 * @param {number} index
 */
function ends(known, index) {
  const at = known.findIndex((one) => one.index === index);
  if (at >= 0) return [known[at], known[at]];
  return index < known[0].index ? [known[0], known[1]] : known.slice(-2);
}

/**
 * @param {Series[]} series
 * @param {Map<number, RoundRecord>} past
 * @returns {string} one line per point; the cell of a loss that is not a number is empty
 */
export function csvOf(series, past) {
  const lines = [["series", "peer_id", "round", "unix_s", "accuracy", "loss"]];
  for (const { id, name, points } of series) {
    for (const { round, accuracy, loss } of points) {
      const time = past.get(round)?.unix_s;
      lines.push([name, id, round, time, accuracy, loss].map((cell) => cellOf(cell)));
    }
  }
  return lines.map((cells) => `${cells.join(",")}\r\n`).join("");
}

/**
 * A cell, quoted where CSV needs it. A text that a spreadsheet would treat as a formula is escaped.
 * @param {string | number | null | undefined} value
 */
function cellOf(value) {
  if (typeof value !== "string") return value == null ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
