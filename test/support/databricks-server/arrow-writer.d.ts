/** What the server writes Arrow with, besides what its reader uses. */
declare module 'apache-arrow' {
  class Type {
    private readonly kind: string;
  }
  export class Binary extends Type {}
  export class Bool extends Type {}
  export class Float32 extends Type {}
  export class Float64 extends Type {}
  export class Int16 extends Type {}
  export class Int32 extends Type {}
  export class Int64 extends Type {}
  export class Int8 extends Type {}
  export class Utf8 extends Type {}
  export class Date_ extends Type {
    constructor(unit: number);
  }
  export class Struct extends Type {
    constructor(fields: readonly object[]);
  }
  export const DateUnit: { DAY: number };

  export type Data = object;
  export function makeData(of: object): Data;
  export class Schema {
    constructor(fields: readonly object[]);
    readonly fields: readonly object[];
  }
  export class RecordBatchStreamWriter {
    reset(sink: undefined, schema: Schema): this;
    write(batch: object): void;
    finish(): this;
    toUint8Array(sync: true): Uint8Array;
  }
}
