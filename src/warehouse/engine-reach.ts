/** Where engines may be reached besides their own domains. */
export interface EngineReach {
  /** Hosts, or host:port, of emulators: spoken to without TLS. */
  emulatorHosts: readonly string[];
  /** How long a cloud's engine waits until it sends a request again that failed in passing; each wait doubles. */
  firstWaitMs?: number;
}
