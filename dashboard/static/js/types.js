// The snapshot's schema for the type checker; `dashboard/snapshot.py` says what the fields mean.
// @ts-check

/**
 * @typedef {{id: string, model: string, dataset: string, dataset_label: string, stand_in: boolean,
 *   rounds: number, strategy: string, cluster_size: number, min_peers: number}} Session
 * @typedef {{digest: string, round: number, author: string, num_contributors: number}} Head
 * @typedef {{id: string, name: string, role: string, tier: number, cluster: number | null,
 *   state: string, phase: string, progress: number, round: number,
 *   train_accuracy: number | null, train_loss: number | null,
 *   accuracy: number | null, loss: number | null, num_examples: number,
 *   bytes_sent: number, bytes_received: number, seen_s_ago: number, rejections: number}} Peer
 * @typedef {{id: string, tier: number, index: number, members: string[], aggregator: string}} Cluster
 * @typedef {{source: string, target: string}} Link
 * @typedef {{seq: number, source: string, target: string, kind: "contribution" | "aggregate" | "head",
 *   size_bytes: number, age_s: number}} Flow
 * @typedef {{round: number, accuracy: number | null, loss: number | null}} Point
 * @typedef {{seq: number, elapsed_s: number, kind: string, text: string}} LogEvent
 * @typedef {{version: number, session: Session | null, round: number, phase: string,
 *   finished: boolean, elapsed_s: number, head: Head | null,
 *   global: {accuracy: number | null, loss: number | null, round: number | null},
 *   training: {accuracy: number | null}, peers: Peer[], clusters: Cluster[], links: Link[],
 *   flows: Flow[], curves: {global: Point[], peers: Record<string, Point[]>},
 *   events: LogEvent[], observer: {peer_id: string, connected: number}}} Snapshot
 * @typedef {{base: number, version: number, parts: Partial<Snapshot>,
 *   curves: {global?: Point[], peers?: Record<string, Point[]>}, events: LogEvent[]}} Update
 */

export {};
