/** Where engines may be reached besides their own domains. */
export interface EngineReach {
  /** Hosts, or host:port, of emulators: spoken to without TLS. */
  emulatorHosts: readonly string[];
}
