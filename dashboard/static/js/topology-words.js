// The topology in words.
// @ts-check

import { bytes, plural } from "./format.js";
import { FLOW_SEEN_S, LINKS_MAX } from "./topology-drawing.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./store.js").Store} Store */

/**
 * One line that describes the topology.
 * @param {Snapshot} snapshot
 */
export function topologySummary(snapshot) {
  const clusters = snapshot.clusters.filter((cluster) => cluster.tier === 1).length;
  const tiers = Math.max(0, ...snapshot.clusters.map((cluster) => cluster.tier));
  const parts = [plural(snapshot.peers.length, "peer")];
  if (clusters > 0) parts.push(plural(clusters, "cluster"), plural(tiers, "tier"));
  const root = snapshot.peers.find((peer) => peer.role === "root");
  if (root) parts.push(`root ${root.name}`);
  if (snapshot.links.length > LINKS_MAX) {
    parts.push(`${snapshot.links.length} links; select a peer to see its links`);
  } else if (snapshot.links.length > 0) parts.push(plural(snapshot.links.length, "link"));
  return parts.join(" · ");
}

/**
 * What moves now: its source and target, its kind and its size.
 * @param {Snapshot} snapshot
 * @param {Store} store
 */
export function movingText(snapshot, store) {
  const recent = snapshot.flows.filter((flow) => snapshot.elapsed_s - flow.elapsed_s <= FLOW_SEEN_S).slice(-3).reverse();
  return recent.map((flow) => {
    const size = flow.size_bytes > 0 ? ` ${bytes(flow.size_bytes)}` : "";
    const what = flow.kind === "head" ? "new global model" : flow.kind;
    return {
      key: flow.seq,
      kind: flow.kind,
      text: `${store.nameOf(flow.source)} → ${store.nameOf(flow.target)} ${what}${size}`,
    };
  });
}
