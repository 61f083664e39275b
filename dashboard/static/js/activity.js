// One sentence about what the swarm does now, or what it waits for.
// @ts-check

import { plural, whole } from "./format.js";
import { isPresent } from "./peer-states.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */

/** @param {Snapshot} snapshot */
export function presentPeers(snapshot) {
  return snapshot.peers.filter(isPresent);
}

/**
 * Whether the run has ended before all of its rounds were done.
 * @param {Snapshot} snapshot
 */
export function isStoppedEarly({ finished, session, head }) {
  return finished && session !== null && (head?.round ?? 0) < session.rounds;
}

/**
 * @param {Snapshot | null} snapshot
 * @returns {string}
 */
export function activity(snapshot) {
  if (snapshot === null) return "Waiting for the dashboard's first report";
  const { session, observer } = snapshot;
  if (isStoppedEarly(snapshot)) return `Stopped by an operator after ${plural(snapshot.head?.round ?? 0, "round")}`;
  if (snapshot.finished && session) return `Finished after ${plural(session.rounds, "round")}`;
  if (session === null && snapshot.studies.length > 0) {
    return "No training session; see the Search tab";
  }
  if (session === null && snapshot.ensembles.length > 0) {
    return "No training session; see the Ensemble tab";
  }
  if (session === null) {
    return observer.connected === 0
      ? "Looking for the swarm: no peer has answered yet"
      : `Connected to ${plural(observer.connected, "peer")}, waiting for a session`;
  }
  const { run_state } = snapshot.operator;
  if (run_state === "held") return "Ready: waiting for an operator to start the session";
  if (run_state === "paused") return "Paused by an operator";
  if (run_state === "stopped") return "Stopped by an operator";
  const present = presentPeers(snapshot);
  if (present.length < session.min_peers && snapshot.head === null) {
    return `Waiting for peers: ${present.length} of ${session.min_peers} have joined`;
  }
  const starting = present.filter((peer) => peer.phase === "starting").length;
  if (starting > 0 && starting === present.length) {
    return "Starting workers: importing Keras and its backend…";
  }
  return roundActivity(snapshot, present);
}

/**
 * @param {Snapshot} snapshot
 * @param {import("./types.js").Peer[]} present
 */
function roundActivity(snapshot, present) {
  /** @param {string} phase */
  const count = (phase) => present.filter((peer) => peer.phase === phase).length;
  const busy = count("training");
  if (snapshot.phase === "aggregating") return "Combining the weights, tier by tier";
  if (busy > 0) {
    const evaluating = count("evaluating");
    const also = evaluating > 0 ? `, ${whole(evaluating)} evaluating` : "";
    return `${whole(busy)} of ${plural(present.length, "peer")} training${also}`;
  }
  if (count("evaluating") > 0) return `${plural(count("evaluating"), "peer")} evaluating`;
  if (count("starting") > 0) return `Starting workers: ${count("starting")} still loading`;
  if (snapshot.phase === "gathering") return "All peers have joined, waiting for round 1";
  return "Waiting for contributions";
}
