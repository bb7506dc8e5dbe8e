/** What is used of it: it has no types of its own. */
declare module 'thrift' {
  class TBufferedTransport {
    static receiver(onData: (input: TBufferedTransport) => void): (bytes: Buffer) => void;
    constructor(input: undefined, onFlush: (bytes: Buffer) => void);
  }

  class TBinaryProtocol {
    constructor(transport: TBufferedTransport);
    readMessageEnd(): void;
  }

  interface Processor {
    new (answers: object): { process(input: TBinaryProtocol, output: TBinaryProtocol): void };
  }

  const thrift: { TBufferedTransport: typeof TBufferedTransport; TBinaryProtocol: typeof TBinaryProtocol };
  export type { Processor };
  export default thrift;
}
