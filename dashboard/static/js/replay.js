// The past as a snapshot: the state of the page when the head of a round was made.
// @ts-check

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Peer} Peer */
/** @typedef {import("./types.js").Cluster} Cluster */
/** @typedef {import("./types.js").RoundRecord} RoundRecord */
/** @typedef {import("./types.js").Point} Point */

/**
 * @param {Snapshot} live
 * @param {Map<number, RoundRecord>} past
 * @param {number} round
 * @returns {Snapshot} what is known about that round; complete once its record has been loaded
 */
export function snapshotAt(live, past, round) {
  const record = past.get(round);
  const began = past.get(0)?.unix_s ?? null;
  const curves = {
    global: upTo(live.curves.global, round),
    peers: Object.fromEntries(
      Object.entries(live.curves.peers).map(([id, points]) => [id, upTo(points, round)]),
    ),
  };
  const madeS = record?.unix_s && began ? Math.max(0, record.unix_s - began) : 0;
  const point = live.curves.global.find((one) => one.round === round);
  return {
    ...live,
    round,
    phase: "replay",
    finished: false,
    elapsed_s: madeS,
    head: record
      ? {
          digest: record.digest,
          round,
          author: record.author,
          num_contributors: record.contributors.length,
        }
      : null,
    global: { accuracy: point?.accuracy ?? null, loss: point?.loss ?? null, round },
    training: { accuracy: null, points: live.training.points.filter(({ at }) => at <= round) },
    peers: record ? peersAt(live, record) : live.peers,
    clusters: record ? record.clusters : [],
    links: [],
    flows: record ? flowsOf(record, madeS) : [],
    curves,
    events: live.events.filter((event) => event.round === null || event.round <= round),
    alerts: live.alerts.filter((alert) => alert.round === null || alert.round <= round),
  };
}

/**
 * @param {Point[]} points
 * @param {number} round
 */
function upTo(points, round) {
  return points.filter((point) => point.round <= round);
}

/**
 * @param {Snapshot} live
 * @param {RoundRecord} record
 * @returns {Peer[]}
 */
function peersAt(live, record) {
  const roles = rolesIn(record);
  const known = new Map(live.peers.map((peer) => [peer.id, peer]));
  const gone = new Set(
    record.alerts
      .filter((alert) => alert.kind === "lost" || alert.kind === "left")
      .map((alert) => alert.peer),
  );
  const contributed = new Set(record.contributors.map((one) => one.peer));
  const metrics = new Map(record.metrics.map((metric) => [metric.peer, metric]));
  return [...roles].map(([id, { role, tier, cluster }]) => {
    const metric = metrics.get(id);
    const base = known.get(id) ?? goneBefore(live, id);
    const absent = record.round > 0 && !contributed.has(id);
    return {
      ...base,
      role,
      tier,
      cluster,
      state: gone.has(id) ? "lost" : absent ? "absent" : "alive",
      phase: record.round === 0 || contributed.has(id) ? "contributed" : "waiting",
      progress: 0,
      round: record.round,
      train_accuracy: null,
      train_loss: null,
      accuracy: metric?.accuracy ?? null,
      accuracy_round: metric ? record.round : null,
      loss: metric?.loss ?? null,
    };
  });
}

/**
 * Role, tier and tier-1 cluster of each peer in the cohort.
 * @param {RoundRecord} record
 */
function rolesIn(record) {
  const top = Math.max(0, ...record.clusters.map((cluster) => cluster.tier));
  /** @type {Map<string, {role: string, tier: number, cluster: number | null}>} */
  const roles = new Map();
  for (const id of record.cohort) roles.set(id, { role: "trainer", tier: 0, cluster: null });
  for (const { tier, index, members } of record.clusters) {
    if (tier !== 1) continue;
    for (const id of members) roles.set(id, { role: "trainer", tier: 1, cluster: index });
  }
  for (const { tier, aggregator } of record.clusters.toSorted((a, b) => a.tier - b.tier)) {
    const held = aggregator === null ? undefined : roles.get(aggregator);
    if (held) Object.assign(held, { tier, role: tier === top ? "root" : "aggregator" });
  }
  return roles;
}

/**
 * The flows of a round, derived from its contributors and its tree.
 * @param {RoundRecord} record
 * @param {number} madeS when its head was made
 * @returns {import("./types.js").Flow[]}
 */
function flowsOf(record, madeS) {
  const byId = new Map(record.clusters.map((cluster) => [cluster.id, cluster]));
  const contributed = new Set(record.contributors.map((one) => one.peer));
  /** @type {import("./types.js").Flow[]} */
  const flows = [];
  for (const { tier, members, aggregator } of record.clusters) {
    if (aggregator === null) continue;
    for (const member of members) {
      const source = tier === 1 ? member : byId.get(member)?.aggregator;
      if (!source || source === aggregator || (tier === 1 && !contributed.has(source))) continue;
      const kind = tier === 1 ? "contribution" : "aggregate";
      flows.push({ seq: flows.length, source, target: aggregator, kind, size_bytes: 0, elapsed_s: madeS });
    }
  }
  return flows;
}

/**
 * A peer that was gone before the dashboard started, from heads and ledgers.
 * @param {Snapshot} live
 * @param {string} id
 * @returns {Peer}
 */
export function goneBefore(live, id) {
  const past = live.past_peers.find((peer) => peer.id === id);
  return {
    id,
    name: past?.name ?? `…${id.slice(-6)}`,
    role: "trainer",
    tier: 0,
    cluster: null,
    state: "lost",
    phase: "waiting",
    progress: 0,
    round: 0,
    train_accuracy: null,
    train_loss: null,
    accuracy: null,
    accuracy_round: null,
    loss: null,
    num_examples: 0,
    bytes_sent: 0,
    bytes_received: 0,
    seen_s_ago: 0,
    rejections: 0,
    site: past?.site ?? "",
    addresses: [],
    blob_bytes_sent: 0,
    data: null,
    run_state: "running",
    refused_commands: 0,
  };
}
