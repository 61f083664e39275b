// The types of a snapshot for the type checker; `dashboard/watching/snapshot_types.py` explains the fields.
// @ts-check

/**
 * @typedef {{id: string, model: string, dataset: string, dataset_label: string, stand_in: boolean,
 *   rounds: number, cluster_size: number, min_peers: number}} Session
 * @typedef {{digest: string, round: number, author: string, num_contributors: number}} Head
 * @typedef {{label: string, num_train: number, num_test: number}} PeerData
 * @typedef {{id: string, name: string, role: string, tier: number, cluster: number | null,
 *   state: string, phase: string, progress: number, round: number,
 *   train_accuracy: number | null, train_loss: number | null,
 *   accuracy: number | null, accuracy_round: number | null, loss: number | null, num_examples: number,
 *   bytes_sent: number, bytes_received: number, seen_s_ago: number, rejections: number,
 *   site: string, addresses: string[], blob_bytes_sent: number, data: PeerData | null,
 *   run_state: string, refused_commands: number}} Peer
 * @typedef {{id: string, name: string, site: string}} PastPeer
 * @typedef {{id: string, num_links: number, me: boolean}} ObserverPeer
 * @typedef {{id: string, tier: number, index: number, members: string[],
 *   aggregator: string | null}} Cluster
 * @typedef {{source: string, target: string}} Link
 * @typedef {{seq: number, source: string, target: string, kind: "contribution" | "aggregate" | "head",
 *   size_bytes: number, elapsed_s: number}} Flow
 * @typedef {{round: number, accuracy: number | null, loss: number | null}} Point
 * @typedef {"info" | "warning" | "error"} Severity
 * @typedef {{seq: number, elapsed_s: number, kind: string, text: string, severity: Severity,
 *   peer: string | null, round: number | null}} LogEvent
 * @typedef {{id: string, kind: string, severity: Severity, peer: string | null,
 *   round: number | null, unix_s: number | null, text: string, reporters: string[]}} Alert
 * @typedef {{first_round: number | null, last_round: number | null, complete: boolean}} History
 * @typedef {{id: string, action: string, peer: string | null, value: number | null,
 *   session: string | null, sequence: number, unix_s: number, expires_unix_s: number,
 *   state: "pending" | "confirmed" | "partial" | "expired",
 *   confirmed_by: string[], waiting_for: string[]}} Command
 * @typedef {{enabled: boolean, operator_id: string | null, run_state: string, agreed: boolean,
 *   drop_threshold: number, removed: string[], commands: Command[]}} Operator
 * @typedef {{number: number, state: "running" | "done" | "pruned" | "failed",
 *   value: number | null, peer: string | null}} Trial
 * @typedef {{id: string, name: string, strategy: string, direction: "maximize" | "minimize",
 *   metric: string, finished: boolean, complete: boolean, num_trials: number, num_running: number, num_done: number,
 *   num_failed: number,
 *   best: {number: number, value: number, model: string,
 *     params: Record<string, string | number | boolean | null>} | null,
 *   history: Trial[],
 *   workers: {peer: string, name: string, trial: number | null, num_done: number}[]}} Study
 * @typedef {{version: number, session: Session | null, round: number, phase: string,
 *   finished: boolean, elapsed_s: number, head: Head | null,
 *   global: {accuracy: number | null, loss: number | null, round: number | null},
 *   training: {accuracy: number | null, points: {at: number, accuracy: number}[]},
 *   time_left_s: number | null, peers: Peer[], past_peers: PastPeer[],
 *   clusters: Cluster[], links: Link[],
 *   flows: Flow[], curves: {global: Point[], peers: Record<string, Point[]>},
 *   events: LogEvent[], observer: {peer_id: string, connected: number},
 *   observers: ObserverPeer[], alerts: Alert[], history: History, operator: Operator,
 *   studies: Study[]}} Snapshot
 * @typedef {{peers: Peer, past_peers: PastPeer, clusters: Cluster, links: Link, flows: Flow, alerts: Alert,
 *   studies: Study}} Listed
 * @typedef {{base: number, version: number, parts: Partial<Snapshot>,
 *   lists: {[K in keyof Listed]?: ListChange<Listed[K]>},
 *   curves: {global?: Point[], peers?: Record<string, Point[]>}, events: LogEvent[]}} Update
 * @typedef {{peer: string, num_examples: number, duration_s: number, staleness: number}} Contributor
 * @typedef {{peer: string, accuracy: number, loss: number, num_examples: number}} Metric
 * @typedef {{round: number, digest: string, author: string, term: number, unix_s: number | null,
 *   cohort: string[], contributors: Contributor[], absent: string[], merged_examples: number,
 *   accuracy: number | null, loss: number | null, metrics: Metric[], clusters: Cluster[],
 *   alerts: Alert[]}} RoundRecord
 */

/**
 * @template T
 * @typedef {{gone: number[], new: [number, T][], changed: [number, Partial<T>][]}} ListChange
 */

export {};
