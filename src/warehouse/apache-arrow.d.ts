/** What is used of it: its own types cannot be found from an ES module. */
declare module 'apache-arrow' {
  export class Field {
    constructor(name: string, type: object, isNullable: boolean, metadata: Map<string, string>);
    readonly metadata: Map<string, string>;
  }

  export class RecordBatch {
    constructor(schema: object, data: object);
    readonly numRows: number;
    getChildAt(index: number): { get(index: number): unknown } | null;
  }

  export class RecordBatchReader implements Iterable<RecordBatch> {
    static from(bytes: readonly Uint8Array[]): RecordBatchReader;
    readonly schema: { fields: readonly Field[] };
    open(): this;
    [Symbol.iterator](): Iterator<RecordBatch>;
  }
}
