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
 * @typedef {{name: string, kind: "number" | "date" | "category", categories: string[],
 *   typical: number | null}} EnsembleColumn
 * @typedef {{version: string, learner: string, num_rows: number, fitted_unix_s: number, fit_s: number,
 *   stays_home: boolean}} EnsembleModel
 * @typedef {{champion_validation: number, challenger_validation: number, champion_recent: number,
 *   challenger_recent: number, num_recent: number, num_shadow: number,
 *   disagreement: number}} ShadowComparison
 * @typedef {{peer: string, name: string, present: boolean, distrusted: boolean,
 *   state: "waiting" | "fitting" | "serving", progress: number, num_rows: number,
 *   champion: EnsembleModel | null, challenger: EnsembleModel | null, previous: EnsembleModel | null,
 *   skill: number | null, metric: number | null, num_scorers: number,
 *   drift: {value: number, threshold: number, drifting: boolean, detail: string},
 *   comparison: ShadowComparison | null, detail: string}} EnsembleMember
 * @typedef {{scorer: string, owner: string, version: string, metric: number | null, num_rows: number,
 *   own: boolean, refusal: string}} EnsembleScore
 * @typedef {{peer: string, name: string, reason: string}} MissingMember
 * @typedef {{seq: number, elapsed_s: number, num_rows: number, seconds: number, answered: string[],
 *   missing: MissingMember[], error: string}} EnsembleQuestion
 * @typedef {{id: string, name: string, task: "classification" | "regression", target: string | null,
 *   columns: EnsembleColumn[], input_shape: number[], classes: string[], transform: string,
 *   metric: string, combination: string, deadline_s: number, quorum: number, num_needed: number,
 *   ready: boolean, members: EnsembleMember[], matrix: EnsembleScore[], num_asked: number,
 *   num_failed: number, latency: {num_questions: number, p50_s: number, p99_s: number} | null,
 *   questions: EnsembleQuestion[]}} Ensemble
 * @typedef {{ensemble: string, values: (number | string)[], spread: number[],
 *   lower: number[] | null, upper: number[] | null, probabilities: number[][] | null,
 *   sets: string[][] | null, classes: string[], coverage: number, combination: string,
 *   members: {peer: string, name: string, version: string, learner: string, fitted_unix_s: number,
 *     num_rows: number, weight: number, answered_by: string, values: number[] | null,
 *     probabilities: number[][] | null}[],
 *   missing: MissingMember[], notes: string[], seconds: number}} EnsembleAnswer
 * @typedef {{version: number, session: Session | null, round: number, phase: string,
 *   finished: boolean, elapsed_s: number, head: Head | null,
 *   global: {accuracy: number | null, loss: number | null, round: number | null},
 *   training: {accuracy: number | null, points: {at: number, accuracy: number}[]},
 *   time_left_s: number | null, peers: Peer[], past_peers: PastPeer[],
 *   clusters: Cluster[], links: Link[],
 *   flows: Flow[], curves: {global: Point[], peers: Record<string, Point[]>},
 *   events: LogEvent[], observer: {peer_id: string, connected: number},
 *   observers: ObserverPeer[], alerts: Alert[], history: History, operator: Operator,
 *   studies: Study[], ensembles: Ensemble[]}} Snapshot
 * @typedef {{peers: Peer, past_peers: PastPeer, clusters: Cluster, links: Link, flows: Flow, alerts: Alert,
 *   studies: Study, ensembles: Ensemble}} Listed
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
